/** What one call is to be; what is left out is the provider's own default. */
export type ExecuteOptions = {
  /** Instead of the provider's `model`. */
  readonly model?: string
  /** Instructions that come before the prompt. */
  readonly system?: string
  /** Where the answer is cut off. */
  readonly maxOutputTokens?: number
  /** Sent as it is; some models refuse it. */
  readonly temperature?: number
  /** Breaks the call off. */
  readonly signal?: AbortSignal
}

/** The answer to a prompt. `output` is for the caller alone: tokenledger keeps it nowhere. */
export type ExecutionResult = {
  /** The text of the answer, without what the model thought; empty where it said nothing. */
  readonly output: string
  /** Every token the model read, cache reads and writes included; 0 where the provider did not say. */
  readonly inputTokensUsed: number
  /** Every token the model produced, reasoning included; 0 where the provider did not say. */
  readonly outputTokensUsed: number
  /** As the row of the call names it: `openai`, `anthropic`, `ollama`, or the host that speaks as one of them. */
  readonly provider: string
  /** The model that answered, which may be a dated version of the one asked. */
  readonly model: string
}

/** One way to ask any provider. */
export interface AIProvider {
  readonly provider: string
  /** Of the calls that name no other. */
  readonly model: string
  /**
   * Asks once, without streaming, and leaves the row of the call with the context of the current request: one row for
   * each answer of the provider, so one more for each retry of the client. Rejects with the client's own error, or with
   * a `TokenLedgerError` of code `TOKENLEDGER_EXECUTION` where the answer holds no message.
   */
  execute(prompt: string, options?: ExecuteOptions): Promise<ExecutionResult>
}

/** What a provider is made with, besides its client. */
export type AIProviderOptions = {
  /** The model of the calls that name no other. */
  readonly model: string
  /** The usage logger that records the calls. A client that it tracks already is recorded once all the same. */
  readonly usage: ClientTracker
}

/** The part of a usage logger that a provider needs. */
export interface ClientTracker {
  track<Client extends object>(client: Client): Client
}
