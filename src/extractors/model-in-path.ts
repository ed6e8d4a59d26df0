const patterns = [
  /\/model\/([^/]+)\/(?:converse|invoke)[\w-]*$/,
  /\/(?:models|tunedModels)\/([^/:]+):\w+$/,
  /\/deployments\/([^/]+)\//,
  /\/serving-endpoints\/([^/]+)\/invocations$/,
]

/** The model that a URL's path names, as those of Bedrock, Gemini, Vertex AI, Azure and Databricks do, or null. */
export function findModelInPath(path: string): string | null {
  for (const pattern of patterns) {
    const name = pattern.exec(path)?.[1]
    if (name !== undefined) return lastPart(decode(name))
  }
  return null
}

// Bedrock takes ARNs too, whose last part names the model or the profile.
function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
