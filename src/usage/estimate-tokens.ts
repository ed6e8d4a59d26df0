/** What is used of a module of gpt-tokenizer, which may be absent, or older than these functions. */
type Tokenizer = {
  countTokens?(text: string, options: { allowedSpecial: Set<string>; disallowedSpecial: Set<string> }): number
  clearMergeCache?(): void
}

type Encoding = 'o200k_base' | 'cl100k_base'

const longestCounted = 16_384
const samples = 16
const loaders: Readonly<Record<Encoding, () => Promise<Tokenizer>>> = {
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
}
const loading: Partial<Record<Encoding, Promise<boolean>>> = {}
const loaded: Partial<Record<Encoding, Tokenizer>> = {}

/**
 * Roughly how many tokens a text is, by gpt-tokenizer where that is installed: exact for OpenAI's models, and the count of
 * their newest ones for all others. Until it is loaded, which the first call sets off, and where it is absent, by length.
 * Of a text of more than 16,384 characters as many are counted, of sixteen places in it, and the rest in proportion.
 */
export function estimateTokens(text: string, model = ''): number {
  const encoding = encodingOf(model)
  void loadTokenizer(encoding)
  const tokenizer = loaded[encoding] ?? loaded.o200k_base
  const sample = sampleOf(text)
  const counted = (tokenizer && countTokens(tokenizer, sample)) ?? tokensByLength(sample)
  return Math.ceil(sample === '' ? 0 : (counted * text.length) / sample.length)
}

/**
 * Loads gpt-tokenizer, once; resolves to whether it is there, and never rejects. It holds the event loop up for about a
 * tenth of a second, which is best done while a process starts.
 */
export function loadTokenizer(encoding: Encoding = 'o200k_base'): Promise<boolean> {
  loading[encoding] ??= loaders[encoding]().then(
    (tokenizer) => {
      if (typeof tokenizer.countTokens !== 'function') return false
      loaded[encoding] = tokenizer
      return true
    },
    () => false,
  )
  return loading[encoding]
}

// As OpenAI's tiktoken maps its models: the o models, gpt-4o, gpt-4.1 and all after them have the newer encoding.
function encodingOf(model: string): Encoding {
  return /(^|\/)(gpt-3\.?5|gpt-4(?![o.])|text-embedding-)/.test(model) ? 'cl100k_base' : 'o200k_base'
}

// Going through all of a text of megabytes would hold up the event loop.
function sampleOf(text: string): string {
  if (text.length <= longestCounted) return text
  const length = longestCounted / samples
  const step = (text.length - length) / (samples - 1)
  const starts = Array.from({ length: samples }, (_, index) => Math.floor(index * step))
  return starts.map((start) => text.slice(start, start + length)).join('')
}

function countTokens(tokenizer: Tokenizer, text: string): number | undefined {
  try {
    const options = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() }
    // The time it takes grows with the square of a run without a break, so that long ones are cut.
    const parts = text.match(/.{1,512}(?=\s|$)|.{1,512}/gs) ?? []
    return parts.reduce((count, part) => count + (tokenizer.countTokens?.(part, options) ?? 0), 0)
  } catch {
    return undefined
  } finally {
    // It remembers the words it has seen.
    tokenizer.clearMergeCache?.()
  }
}

const wide = /[\u1100-\u11ff\u2e80-\ud7ff\ud800-\udfff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]/g

// Four characters a token is OpenAI's rule for English, and near enough for other alphabets; the three quarters of a
// token for a character of Chinese, Japanese and Korean are measured with o200k_base.
function tokensByLength(text: string): number {
  const wideCharacters = text.length - text.replace(wide, '').length
  return (text.length + 2 * wideCharacters) / 4
}
