import { formatGroup } from './format.js'

export type FilterButtonProps = { readonly value: string; readonly add: (value: string) => void }

/** A name that shows only its calls when it is clicked. */
export function FilterButton({ value, add }: FilterButtonProps) {
  return (
    <button
      type="button"
      class="link"
      title={`${formatGroup(value)}: show only these calls`}
      onClick={() => add(value)}
    >
      {formatGroup(value)}
    </button>
  )
}
