import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/** The page as static files of their own: relative addresses, and nothing inline that a strict CSP would refuse. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  build: {
    outDir: '../../dist/dashboard',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
