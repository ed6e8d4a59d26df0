import { findProviderHost } from '../capture/provider-hosts.js'

/** The name that rows give to the provider at this URL, or `otherwise` where its host is not known. */
export function providerOfUrl(url: string | undefined, otherwise: string): string {
  if (url === undefined || !URL.canParse(url)) return otherwise
  const { hostname, port } = new URL(url)
  return findProviderHost(hostname, port)?.provider ?? otherwise
}
