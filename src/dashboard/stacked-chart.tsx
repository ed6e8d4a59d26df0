import { scaleBand, scaleLinear } from 'd3-scale'
import { stack } from 'd3-shape'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { ChartData, ChartLayer } from './chart-data.js'
import { formatPeriod } from './format.js'

export type StackedChartProps = {
  readonly title: string
  /** Undefined while it is not known yet. */
  readonly data: ChartData | undefined
  readonly format: (value: number | null) => string
  /** Hours are shown in; the browser's own for undefined. */
  readonly timeZone: string | undefined
}

const noData: ChartData = { periods: [], layers: [], totals: [], total: 0 }
const firstWidth = 720
const height = 220
const margin = { top: 8, right: 4, bottom: 22 }
const leastLeft = 60
const characterWidth = 7
const labelWidth = 90

/** Columns of stacked values over time. Arrow keys walk from column to column; the table below a chart says the same in words. */
export function StackedChart({ title, data, format, timeZone }: StackedChartProps) {
  const [selected, select] = useState<string>()
  const [plot, width] = useWidth()
  const { periods, layers, totals } = data ?? noData
  const tops = periods.map((_, index) => layers.reduce((sum, { values }) => sum + (values[index] ?? 0), 0))
  const y = scaleLinear([0, Math.max(...tops) || 1], [height - margin.bottom, margin.top]).nice(4)
  const left = leftOf(y.ticks(4).map(format))
  const x = scaleBand(periods, [left, width - margin.right]).paddingInner(0.15)
  // By its name: an hour later the same column is another period.
  const found = selected === undefined ? -1 : periods.indexOf(selected)
  const index = found === -1 ? undefined : found
  const period = index === undefined ? 'whole range' : formatPeriod(periods[index] ?? '', timeZone)
  const walk = (event: KeyboardEvent) => {
    const next = stepTo(event.key, index, periods.length - 1)
    if (next === index) return
    event.preventDefault()
    select(next === undefined ? undefined : periods[next])
  }
  const figure = data === undefined ? '…' : format(index === undefined ? data.total : (totals[index] ?? null))
  return (
    <figure class="chart">
      <div
        class="plot"
        ref={plot}
        role="slider"
        tabIndex={0}
        aria-label={title}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, periods.length - 1)}
        aria-valuenow={index ?? 0}
        aria-valuetext={`${period}: ${figure}`}
        onKeyDown={walk}
        onBlur={() => select(undefined)}
        onPointerLeave={() => select(undefined)}
      >
        <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} aria-hidden="true">
          <Axes x={x} y={y} left={left} width={width} format={format} timeZone={timeZone} />
          <Columns data={{ periods, layers }} x={x} y={y} />
          {periods.map((each, at) => (
            <rect
              key={each}
              class={at === index ? 'target selected' : 'target'}
              x={(x(each) ?? 0) - (x.step() - x.bandwidth()) / 2}
              width={x.step()}
              y={margin.top}
              height={height - margin.top - margin.bottom}
              onPointerEnter={() => select(each)}
            />
          ))}
        </svg>
      </div>
      <figcaption>
        <p class="legend-time">
          <span>{period}</span> <span class="figure">{figure}</span>
        </p>
        <Legend layers={layers} index={index} format={format} />
      </figcaption>
    </figure>
  )
}

function stepTo(key: string, from: number | undefined, last: number): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return Math.min(last, (from ?? -1) + 1)
    case 'ArrowLeft':
      return Math.max(0, (from ?? last + 1) - 1)
    case 'Home':
      return 0
    case 'End':
      return last
    case 'Escape':
      return undefined
    default:
      return from
  }
}

/** The width of an element, followed: text in a chart keeps its size on every screen. */
function useWidth() {
  const element = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(firstWidth)
  useLayoutEffect(() => {
    const follow = () => setWidth(element.current?.clientWidth || firstWidth)
    follow()
    const observer = new ResizeObserver(follow)
    if (element.current) observer.observe(element.current)
    return () => observer.disconnect()
  }, [])
  return [element, width] as const
}

type Scales = {
  readonly x: ReturnType<typeof scaleBand<string>>
  readonly y: ReturnType<typeof scaleLinear<number, number>>
}

type AxesProps = Scales &
  Pick<StackedChartProps, 'format' | 'timeZone'> & { readonly left: number; readonly width: number }

function Axes({ x, y, left, width, format, timeZone }: AxesProps) {
  const periods = x.domain()
  const step = Math.ceil((periods.length * labelWidth) / (width - left))
  // The last label would be cut off where its column is near the edge.
  const isLabelled = (period: string, index: number) =>
    index % step === 0 && (index === 0 || (x(period) ?? 0) + labelWidth * 0.75 < width)
  return (
    <g class="axes">
      {y.ticks(4).map((tick) => (
        <g key={tick} transform={`translate(0 ${y(tick)})`}>
          <line x1={left} x2={width - margin.right} />
          <text x={left - 6} dy="0.32em" text-anchor="end">
            {format(tick)}
          </text>
        </g>
      ))}
      {periods.filter(isLabelled).map((period) => (
        <text key={period} x={x(period)} y={height - 6}>
          {formatPeriod(period, timeZone)}
        </text>
      ))}
    </g>
  )
}

/** Where the columns begin, so that no label of their scale is cut off. */
function leftOf(labels: readonly string[]): number {
  return Math.max(leastLeft, ...labels.map(({ length }) => length * characterWidth + 8))
}

function Columns({
  data: { periods, layers },
  x,
  y,
}: Scales & { readonly data: Pick<ChartData, 'periods' | 'layers'> }) {
  const series = stack<number, number>()
    .keys(layers.map((_, layer) => layer))
    .value((index, layer) => layers[layer]?.values[index] ?? 0)(periods.map((_, index) => index))
  return (
    <g class="columns">
      {series.map((layer) => (
        <g key={layer.key} class={colourOf(layers[layer.key], layer.key)}>
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

type LegendProps = Pick<StackedChartProps, 'format'> &
  Pick<ChartData, 'layers'> & { readonly index: number | undefined }

function Legend({ layers, index, format }: LegendProps) {
  const figureOf = (values: readonly number[]) =>
    index === undefined ? values.reduce((sum, value) => sum + value, 0) : (values[index] ?? 0)
  return (
    <ul class="legend">
      {layers.map(({ name, values, isRest }, layer) => (
        <li key={`${layer} ${name}`}>
          <svg class={`swatch ${colourOf({ isRest }, layer)}`} viewBox="0 0 10 10" aria-hidden="true">
            <rect width="10" height="10" rx="2" />
          </svg>
          <span class="name" title={name}>
            {name}
          </span>{' '}
          <span class="figure">{format(figureOf(values))}</span>
        </li>
      ))}
    </ul>
  )
}

function colourOf(layer: Pick<ChartLayer, 'isRest'> | undefined, index: number): string {
  return layer?.isRest ? 'layer-rest' : `layer-${index}`
}
