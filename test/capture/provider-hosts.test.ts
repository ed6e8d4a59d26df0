import { expect, it } from 'vitest'
import { findProviderHost } from '../../src/capture/provider-hosts.js'

it.each([
  ['api.openai.com', 'openai'],
  ['eu.api.openai.com', 'openai'],
  ['API.X.AI', 'xai'],
  ['mine.openai.azure.com', 'azure'],
  ['bedrock-runtime.us-east-1.amazonaws.com', 'bedrock'],
  ['bedrock-runtime-fips.us-gov-west-1.amazonaws.com', 'bedrock'],
  ['bedrock-mantle.us-east-1.api.aws', 'bedrock'],
  ['us-east5-aiplatform.googleapis.com', 'vertex'],
  ['aiplatform.googleapis.com', 'vertex'],
  ['generativelanguage.googleapis.com', 'gemini'],
  ['adb-1.7.azuredatabricks.net', 'databricks'],
])('knows whose host %s is', (hostname, provider) => {
  expect(findProviderHost(hostname)?.provider).toBe(provider)
})

it('knows local servers by the port they listen at', () => {
  expect(findProviderHost('localhost', '11434')?.provider).toBe('ollama')
  expect(findProviderHost('gpu.internal', '1234')?.provider).toBe('lmstudio')
  expect(findProviderHost('api.openai.com', '11434')?.provider).toBe('openai')
  expect(findProviderHost('localhost', '8080')).toBeUndefined()
})

it.each([
  'localhost',
  '127.0.0.1',
  'my-llm.us-east-1.elb.amazonaws.com',
  'xapi.openai.com.example',
  'storage.googleapis.com',
  'constructor',
  '__proto__.constructor',
])('does not take %s for a provider', (hostname) => {
  expect(findProviderHost(hostname)).toBeUndefined()
})
