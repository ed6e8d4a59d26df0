export type { Allowance, Balance } from './analytics/balance.js'
export type { Latencies, LatencyFigures, LatencyGroup, Percentiles, ProviderComparison } from './analytics/latencies.js'
export type { MonthProjection } from './analytics/month-projection.js'
export type {
  CheaperModel,
  LongerOutputs,
  LowCacheHits,
  Recommendation,
  Recommendations,
  SpendSpike,
} from './analytics/recommendations.js'
export type { UsageBreakdown, UsageGroupQuery } from './analytics/usage-by.js'
export type { UsageSeries, UsageSeriesQuery } from './analytics/usage-by-period.js'
export type { UsageGap, UsageGaps } from './analytics/usage-gaps.js'
export type { UsageCall, UsageCallDetails, UsageHistory, UsageHistoryQuery } from './analytics/usage-history.js'
export type { UsageDimension, UsageOrder, UsagePeriod, UsageQuery } from './analytics/usage-query.js'
export type { UsageGroup, UsageRange, UsageSums } from './analytics/usage-sums.js'
export type { UsageChange, UsageTotals } from './analytics/usage-totals.js'
export type { UserStats } from './analytics/user-stats.js'
export type { LanguageModelMiddleware } from './capture/language-model-middleware.js'
export type { ConfigOptions, SslMode } from './config.js'
export { createUsageLogger, type UsageLogger, type UsageLoggerOptions } from './create-usage-logger.js'
export { createUsageReports, type UsageReports, type UsageReportsOptions } from './create-usage-reports.js'
export { ConfigurationError, ExportError, type ExportErrorKind, MigrationError, TokenLedgerError } from './errors.js'
export type {
  AIProvider,
  AIProviderOptions,
  ClientTracker,
  ExecuteOptions,
  ExecutionResult,
} from './execution/ai-provider.js'
export { type ClaudeClient, createClaudeProvider } from './execution/claude-provider.js'
export { type Execution, type ExecutionIdentity, executionSchema, toExecution } from './execution/execution-schema.js'
export { createOllamaProvider, type OllamaClient } from './execution/ollama-provider.js'
export { createOpenAIProvider, type OpenAIClient } from './execution/openai-provider.js'
export { extractUsage } from './extractors/extract-usage.js'
export type { ExpressMiddleware } from './middleware/express.js'
export type { IdentityOptions, Resolvable } from './middleware/resolve-identity.js'
export type { TrpcCall, TrpcMiddleware } from './middleware/trpc.js'
export {
  type Cost,
  calculateCost,
  findModelPrice,
  type ListedPrice,
  type ModelName,
  type UsdPerMillion,
} from './pricing/calculate-cost.js'
export type { DiagnosticLogger } from './recording/diagnostics.js'
export type { UsageExporter, UsageLoss } from './recording/exporter.js'
export { MemoryExporter } from './recording/memory-exporter.js'
export type { LastError } from './recording/outage.js'
export type { RequestUsage } from './recording/request-context.js'
export type { ImageEntry, UsageLoggerState, UsageLoggerStats } from './recording/usage-log.js'
export type { MetricsRegistry } from './recording/usage-metrics.js'
export type { CallerIdentity } from './usage/draft-record.js'
export { estimateTokens } from './usage/estimate-tokens.js'
export { type FormattedUsage, formatUsage } from './usage/format-usage.js'
export { type TokenUsage, unknownUsage } from './usage/token-usage.js'
export type { CallStatus, CostSource, UsageEntry, UsageRecord, UsageSource } from './usage/usage-record.js'
