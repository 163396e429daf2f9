#!/usr/bin/env node
// Plain JavaScript that any old Node can read: it says what is missing, or hands over to a Node that will do.
import childProcess from 'child_process';
import fs from 'fs';
import Module from 'module';
import path from 'path';
import { fileURLToPath, pathToFileURL } from 'url';

const WANTED = [24, 15];
const CANNOT = 3;
/** What Node is to do without: `__proto__` in any thread, a debugger on SIGUSR1, native addons. */
const HARDENED = ['--disable-proto=delete', '--disable-sigusr1', '--no-addons'];
/** In Node's pool: libuv lends half of them to names, which other work must not wait for (src/proxy/address/lookup.ts). */
const POOL_THREADS = 8;
/** What an agent talks to. */
const SERVING = ['serve', 'dev', 'witness'];
const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

if (!newEnough(process.versions.node)) handOver();
else if (isHardened() || typeof process.execve !== 'function') start();
else startHardened();

function newEnough(version) {
  const parts = version.split('.').map(Number);
  return parts[0] > WANTED[0] || (parts[0] === WANTED[0] && parts[1] >= WANTED[1]);
}

function isHardened() {
  const command = process.argv.slice(2).find((word) => !word.startsWith('-'));
  const isSo = missingFlags().length === 0 && Number(process.env.UV_THREADPOOL_SIZE) === POOL_THREADS;
  return !SERVING.includes(command) || isSo;
}

function missingFlags() {
  return HARDENED.filter((flag) => !process.execArgv.includes(flag));
}

/** The same process, anew: these can be set at Node's start alone, and this costs no second process. */
function startHardened() {
  const args = [process.execPath, ...process.execArgv, ...missingFlags(), ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...process.env, UV_THREADPOOL_SIZE: String(POOL_THREADS) });
}

/** In a checkout Node strips the types by itself; in an installed package (or the image) it runs what was compiled. */
function start() {
  const source = path.join(root, 'src', 'main.ts');
  const entry = fs.existsSync(source) ? source : path.join(root, 'dist', 'main.js');
  cacheCompiledCode();
  const unanswered = () => breakDown('it ended without an answer');
  process.on('uncaughtException', breakDown).once('beforeExit', unanswered);
  import(pathToFileURL(entry).href)
    .then((program) => program.main(process.argv.slice(2)))
    .then((code) => {
      process.off('beforeExit', unanswered);
      process.exitCode = code;
    })
    .catch(breakDown);
}

/** Node would exit with 1, which is an answer. */
function breakDown(fault) {
  process.stderr.write(`writ: ${fault && fault.stack ? fault.stack : fault}\n`);
  process.exit(CANNOT);
}

/** Saves some 100 ms at each start. Where nothing can be written (a read-only root), nothing is lost. */
function cacheCompiledCode() {
  const modules = path.join(root, 'node_modules');
  try {
    fs.accessSync(modules, fs.constants.W_OK);
    Module.enableCompileCache(path.join(modules, '.cache', 'writ'));
  } catch {
    // not a checkout of ours
  }
}

/** npm installs a Node of the right version beside our dependencies (optionalDependencies in package.json). */
function handOver() {
  const pinned = path.join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  if (!fs.existsSync(pinned)) return refuse();
  const args = [...HARDENED, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const child = childProcess.spawn(pinned, args, { stdio: 'inherit' });
  // Keys on a terminal signal the whole process group, so the child has heard of them already.
  const keys = process.stdin.isTTY ? ['SIGINT', 'SIGQUIT'] : [];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
    process.on(signal, () => keys.includes(signal) || child.kill(signal));
  }
  child.on('error', refuse);
  child.on('exit', (code, signal) => {
    if (!signal) return process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function refuse() {
  process.stderr.write(
    `writ: Node ${WANTED.join('.')} or newer is needed; this is ${process.versions.node} (${process.execPath}).\n` +
      '      In the checkout, `npm ci` installs the right one for Linux and `npm start` or `npx writ` uses it.\n' +
      '      Elsewhere install Node 24 (https://nodejs.org) and run this again.\n',
  );
  process.exitCode = CANNOT;
}
