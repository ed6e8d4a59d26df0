import { chmodSync, chownSync, existsSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeFrame } from '../../../src/recording/spool/frame.js'
import type { Liveness } from '../../../src/recording/spool/owner.js'
import { createLiveness, formatOwner, parseOwner } from '../../../src/recording/spool/owner.js'
import { SpoolDirectory } from '../../../src/recording/spool/spool-directory.js'
import { createProcesses, createTemporaryDirectory, segmentsIn } from './spool-setup.js'

const ignore = () => {}
const elevenMinutes = 11 * 60

function setUp(liveness: Liveness = createProcesses().start()) {
  const { path, spool } = createTemporaryDirectory()
  return { path, spool, directory: new SpoolDirectory(spool, liveness) }
}

function age(directory: string, name: string): void {
  const then = Date.now() / 1000 - elevenMinutes
  utimesSync(join(directory, name), then, then)
}

describe('the directory of a spool', () => {
  it.each<[string, RegExp, (spool: string, path: string) => void]>([
    ['is a symbolic link', /symbolic link/, (spool, path) => symlinkSync(path, spool)],
    ['is a link to nowhere', /symbolic link/, (spool) => symlinkSync('/nowhere', spool)],
    ['is a file', /no directory/, (spool) => writeFileSync(spool, '')],
    ['may be written by its group', /chmod 700/, (spool) => makeDirectory(spool, 0o770)],
    ['may be written by everybody', /chmod 700/, (spool) => makeDirectory(spool, 0o702)],
  ])('is refused where it %s', (_, reason, make) => {
    const { path, spool, directory } = setUp()
    make(spool, path)

    expect(() => directory.create(ignore)).toThrow(reason)
    expect(() => directory.survey()).toThrow(reason)
  })

  it('is refused where it belongs to another user', (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can make a directory of another user')
    const { spool, directory } = setUp()
    mkdirSync(spool, { mode: 0o700 })
    chownSync(spool, 65534, 65534)

    expect(() => directory.create(ignore)).toThrow(/another user/)
  })

  it('is made by the first write, also when it was removed since', () => {
    const { spool, directory } = setUp()
    const before = [existsSync(spool), directory.survey()]

    directory.create(ignore)

    expect(before).toEqual([false, { bytes: 0, orphans: [], inUse: [] }])
    expect(segmentsIn(spool)).toHaveLength(1)
  })
})

describe('a segment', () => {
  it('is an orphan when its owner has ended, and not before, however long the owner was stopped', () => {
    const processes = createProcesses()
    const [owner, other] = [processes.start(), processes.start()]
    const { spool, directory } = setUp(owner)
    directory.create(ignore)
    const [name = ''] = segmentsIn(spool)
    age(spool, name)
    const observer = new SpoolDirectory(spool, other)
    const whileItRuns = observer.isOrphan(name)

    processes.become(owner, 'ended')

    expect([whileItRuns, observer.isOrphan(name)]).toEqual([false, true])
    expect(observer.survey().orphans).toEqual([name])
  })

  it('goes to one of those who claim it, and from there, should that one end too, to another', () => {
    const processes = createProcesses()
    const [owner, first, second] = [processes.start(), processes.start(), processes.start()]
    const { spool, directory } = setUp(owner)
    directory.create(ignore)
    processes.become(owner, 'ended')
    const [one, two] = [new SpoolDirectory(spool, first), new SpoolDirectory(spool, second)]
    const [name = ''] = segmentsIn(spool)

    const claimed = [one.claim(name), two.claim(name)]
    const [renamed = ''] = segmentsIn(spool)
    const whileClaimantRuns = two.isOrphan(renamed)
    processes.become(first, 'ended')

    expect(claimed).toEqual([expect.stringContaining(spool), undefined])
    expect([whileClaimantRuns, two.isOrphan(renamed)]).toEqual([false, true])
    expect(two.claim(renamed)).toBeDefined()
  })

  it('of another container is left alone while anything tells that its owner runs', () => {
    const processes = createProcesses()
    const [owner, other] = [processes.start(), processes.start()]
    processes.become(owner, 'unknown')
    const { spool, directory } = setUp(owner)
    const segment = directory.create(ignore)
    const name = segment.path.slice(spool.length + 1)
    const lease = `${formatOwner(owner.self)}.lease`
    const observer = new SpoolDirectory(spool, other)

    const fresh = observer.isOrphan(name)
    age(spool, name)
    directory.renewLease()
    const leased = observer.isOrphan(name)
    age(spool, lease)

    expect([fresh, leased, observer.isOrphan(name)]).toEqual([false, false, true])
  })

  it('is left to anybody by a process that goes, and its lease is removed when nobody needs it', () => {
    const processes = createProcesses()
    const [owner, other] = [processes.start(), processes.start()]
    const { spool, directory } = setUp(owner)
    const segment = directory.create(ignore)
    directory.renewLease()
    const observer = new SpoolDirectory(spool, other)

    directory.release(segment.path)
    const [name = ''] = segmentsIn(spool)
    const whileItRuns = existsSync(join(spool, `${formatOwner(owner.self)}.lease`))
    processes.become(owner, 'ended')
    observer.survey()

    expect(observer.isOrphan(name)).toBe(true)
    expect([whileItRuns, existsSync(join(spool, `${formatOwner(owner.self)}.lease`))]).toEqual([true, false])
  })

  it('that an erasure was replacing when it was killed leaves a part, which goes when its owner has ended', () => {
    const processes = createProcesses()
    const [owner, far, other] = [processes.start(), processes.start(), processes.start()]
    processes.become(far, 'unknown')
    const { spool, directory } = setUp(owner)
    const parts = [directory, new SpoolDirectory(spool, far)].map((of) => `${of.create(ignore).path}.part`)
    const strange = join(spool, 'notes.part')
    for (const path of [...parts, strange]) writeFileSync(path, encodeFrame('{}'))
    const observer = new SpoolDirectory(spool, other)
    const left = () => [...parts, strange].map(existsSync)

    observer.survey()
    const whileTheyRun = left()
    processes.become(owner, 'ended')
    const { bytes } = observer.survey()
    const whenOneEnded = left()
    age(spool, parts[1]?.slice(spool.length + 1) ?? '')
    observer.survey()

    expect(whileTheyRun).toEqual([true, true, true])
    expect([whenOneEnded, bytes]).toEqual([[false, true, true], 0])
    expect(left()).toEqual([false, false, true])
  })

  it('is not made of any other file that lies there', () => {
    const { spool, directory } = setUp()
    makeDirectory(spool, 0o700)
    for (const name of ['notes.txt', 'a-b.spool', 'x-00000000-000001.spool.bak']) {
      writeFileSync(join(spool, name), encodeFrame('{}'))
    }

    expect(directory.survey()).toEqual({ bytes: 0, orphans: [], inUse: [] })
  })
})

describe('the owner of a segment', () => {
  const liveness = createLiveness()
  const { self } = liveness

  it('is this process for itself, and comes back from the name of a file', () => {
    expect(liveness.stateOf(self)).toBe('running')
    expect(parseOwner(formatOwner(self))).toEqual(self)
  })

  it.each([
    ['has ended where its pid belongs to a process that started at another time', { startedAt: '1' }, 'ended'],
    ['has ended where there is no process with its pid', { pid: 4_194_305 }, 'ended'],
    ['has ended where it ran before the machine was started', { bootId: '00000000' }, 'ended'],
    ['is unknown where its pid means a process of another container', { pidNamespace: '1' }, 'unknown'],
  ] as const)('%s', (_, change, state) => {
    expect(liveness.stateOf({ ...self, ...change })).toBe(state)
  })

  it.each(['', 'free', 'a.b.c.d', '../../etc.1.1.1', 'x.1.1'])('is told by no name like %j', (text) => {
    expect(parseOwner(text)).toBeUndefined()
  })
})

function makeDirectory(path: string, mode: number): void {
  mkdirSync(path)
  chmodSync(path, mode)
}
