import { scaleBand, scaleLinear } from 'd3-scale'
import { stack } from 'd3-shape'
import { useState } from 'preact/hooks'
import type { ChartData } from './chart-data.js'

export type StackedChartProps = {
  readonly title: string
  readonly data: ChartData
  readonly format: (value: number) => string
}

const width = 720
const height = 220
const margin = { top: 8, right: 4, bottom: 22, left: 60 }
const mostLabels = 8

/** Columns of stacked values over time. Arrow keys walk from column to column; the table below a chart says the same in words. */
export function StackedChart({ title, data, format }: StackedChartProps) {
  const [selected, select] = useState<number>()
  const { periods, layers } = data
  const totals = periods.map((_, index) => layers.reduce((sum, { values }) => sum + (values[index] ?? 0), 0))
  const x = scaleBand(periods, [margin.left, width - margin.right]).paddingInner(0.15)
  const y = scaleLinear([0, Math.max(...totals) || 1], [height - margin.bottom, margin.top]).nice(4)
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    select(Math.min(periods.length - 1, Math.max(0, (selected ?? (step > 0 ? -1 : periods.length)) + step)))
  }
  const index = selected === undefined ? undefined : Math.min(selected, periods.length - 1)
  return (
    <figure class="chart">
      <div
        class="plot"
        role="slider"
        tabIndex={0}
        aria-label={title}
        aria-valuemin={0}
        aria-valuemax={periods.length - 1}
        aria-valuenow={index ?? 0}
        aria-valuetext={index === undefined ? 'whole range' : `${periods[index]}: ${format(totals[index] ?? 0)}`}
        onKeyDown={walk}
        onBlur={() => select(undefined)}
        onPointerLeave={() => select(undefined)}
      >
        <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          <Axes x={x} y={y} format={format} />
          <Columns data={data} x={x} y={y} />
          {periods.map((period, at) => (
            <rect
              key={period}
              class={at === index ? 'target selected' : 'target'}
              x={x(period)}
              width={x.step()}
              y={margin.top}
              height={height - margin.top - margin.bottom}
              onPointerEnter={() => select(at)}
            />
          ))}
        </svg>
      </div>
      <figcaption>
        <Legend data={data} index={index} format={format} />
      </figcaption>
    </figure>
  )
}

type Scales = {
  readonly x: ReturnType<typeof scaleBand<string>>
  readonly y: ReturnType<typeof scaleLinear<number, number>>
}

function Axes({ x, y, format }: Scales & Pick<StackedChartProps, 'format'>) {
  const periods = x.domain()
  const step = Math.ceil(periods.length / mostLabels)
  return (
    <g class="axes">
      {y.ticks(4).map((tick) => (
        <g key={tick} transform={`translate(0 ${y(tick)})`}>
          <line x1={margin.left} x2={width - margin.right} />
          <text x={margin.left - 6} dy="0.32em" text-anchor="end">
            {format(tick)}
          </text>
        </g>
      ))}
      {periods
        .filter((_, index) => index % step === 0)
        .map((period) => (
          <text key={period} x={x(period)} y={height - 6}>
            {labelOf(period)}
          </text>
        ))}
    </g>
  )
}

function Columns({ data: { periods, layers }, x, y }: Scales & Pick<StackedChartProps, 'data'>) {
  const series = stack<number, number>()
    .keys(layers.map((_, layer) => layer))
    .value((index, layer) => layers[layer]?.values[index] ?? 0)(periods.map((_, index) => index))
  return (
    <g class="columns">
      {series.map((layer) => (
        <g key={layer.key} class={`layer-${layer.key}`}>
          {layer.map(([from, to], index) => {
            const period = periods[index] ?? ''
            return (
              to > from && <rect key={period} x={x(period)} width={x.bandwidth()} y={y(to)} height={y(from) - y(to)} />
            )
          })}
        </g>
      ))}
    </g>
  )
}

function Legend({
  data: { periods, layers },
  index,
  format,
}: Pick<StackedChartProps, 'data' | 'format'> & { readonly index: number | undefined }) {
  const figureOf = (values: readonly number[]) =>
    index === undefined ? values.reduce((sum, value) => sum + value, 0) : (values[index] ?? 0)
  return (
    <>
      <span class="legend-time">{index === undefined ? 'whole range' : labelOf(periods[index] ?? '')}</span>
      <ul class="legend">
        {layers.map(({ name, values }, layer) => (
          <li key={name}>
            <svg class={`swatch layer-${layer}`} viewBox="0 0 10 10" aria-hidden="true">
              <rect width="10" height="10" rx="2" />
            </svg>
            <span class="name">{name}</span> <span class="figure">{format(figureOf(values))}</span>
          </li>
        ))}
      </ul>
    </>
  )
}

// An hour shows its time, a day its date.
function labelOf(period: string): string {
  return period.includes('T') ? period.slice(5, 16).replace('T', ' ') : period
}
