// Runs of the model: `model-runs.ts <runs> <seed>`. Tells each hundredth; a counterexample is on stderr.
import { checkModel } from './model.js'

const [, , runs, seed] = process.argv
let done = 0
await checkModel(Number(runs), Number(seed), () => {
  done += 1
  if (done % 100 === 0) console.log(done)
})
