// The file system of a worker: what Go's package syscall calls under GOOS=js (the callbacks of Node's fs), over the
// origin private file system. Load it before wasm_exec.js and await fs.mount() before the program starts.
//
// A path stands for the OPFS path of the same name, so the page and other workers see the same files. OPFS renames a
// file in one act but cannot rename a directory. That is done file by file, with a note of it in /.opfs; whoever finds a note
// left by a dead worker (mount and recover) brings the rename to its end. Paths are made, moved and removed one after the
// other; bytes go through FileSystemSyncAccessHandle at once.
//
// What differs from Unix: no links, no modes, no times that can be set. A file that is being written in one worker cannot
// be opened in another (EBUSY); several may read it, where the browser knows the mode read-only.
"use strict";

(() => {
  const constants = { O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024, O_DIRECTORY: 65536 };
  const HIDDEN = ".opfs"; // notes of renames, and files that were removed while they were open

  const fail = (code, path) => Object.assign(new Error(`${code}: ${path}`), { code });
  const codes = {
    NotFoundError: "ENOENT", TypeMismatchError: "ENOTDIR", NoModificationAllowedError: "EBUSY", QuotaExceededError: "ENOSPC",
    InvalidModificationError: "ENOTEMPTY", NotAllowedError: "EACCES", SecurityError: "EACCES", TypeError: "EINVAL",
  };
  const coded = (e, path) => {
    if (e && e.code && typeof e.code === "string") return e;
    return Object.assign(new Error(`${path}: ${e}`), { code: codes[e && e.name] || "EIO" });
  };

  let cwd = "/";
  const resolve = (path) => {
    const parts = [];
    for (const p of (path.startsWith("/") ? path : cwd + "/" + path).split("/")) {
      if (p === "..") parts.pop();
      else if (p !== "" && p !== ".") parts.push(p);
    }
    return "/" + parts.join("/");
  };
  const split = (path) => {
    const at = path.lastIndexOf("/");
    return [path.slice(0, at) || "/", path.slice(at + 1)];
  };
  const below = (path, dir) => path === dir || path.startsWith(dir === "/" ? "/" : dir + "/");

  // Changes to the tree, one after the other.
  let tail = Promise.resolve();
  const inTurn = (f) => {
    const done = tail.then(f);
    tail = done.catch(() => {});
    return done;
  };
  // And, where it matters, one worker after the other.
  const alone = (f) => (navigator.locks ? navigator.locks.request("hone-opfs", f) : f());

  // Handles of directories by path. Those of a directory that went are dropped with it.
  const dirs = new Map();
  const forget = (path) => { for (const p of dirs.keys()) if (below(p, path)) dirs.delete(p); };
  const directory = async (path) => {
    let d = dirs.get(path);
    if (!d) {
      if (path === "/") {
        d = await navigator.storage.getDirectory();
      } else {
        const [parent, name] = split(path);
        d = await (await directory(parent)).getDirectoryHandle(name);
      }
      dirs.set(path, d);
    }
    return d;
  };
  // The handle of a file or directory; null where there is none. A missing parent is an error.
  const find = async (path) => {
    if (path === "/") return directory("/");
    const [parent, name] = split(path);
    const d = await directory(parent);
    if (path === "/" + HIDDEN) return null;
    try {
      return await d.getFileHandle(name);
    } catch (e) {
      if (e.name === "NotFoundError") return missing(parent);
      if (e.name !== "TypeMismatchError") throw e;
      return directory(path);
    }
  };
  // Another worker may have removed a directory whose handle is kept here.
  const missing = async (parent) => {
    if (parent !== "/") {
      dirs.delete(parent);
      await directory(parent);
    }
    return null;
  };
  const must = async (path) => {
    const h = await find(path);
    if (!h) throw fail("ENOENT", path);
    return h;
  };
  const isEmpty = async (d) => (await d.keys().next()).done;

  // Numbers that tell files apart, as long as the worker lives.
  const numbers = new Map();
  let lastNumber = 1;
  const number = (path) => {
    if (!numbers.has(path)) numbers.set(path, ++lastNumber);
    return numbers.get(path);
  };
  const renumber = (from, to) => {
    for (const [p, n] of [...numbers]) {
      if (below(p, from)) {
        numbers.delete(p);
        if (to !== null) numbers.set(to + p.slice(from.length), n);
      }
    }
  };

  // Open files by path: all descriptors of a file share one access handle.
  const nodes = new Map();
  const access = async (handle, writable) => {
    for (let tries = 0; ; tries++) {
      try {
        return await handle.createSyncAccessHandle({ mode: writable ? "readwrite" : "read-only" });
      } catch (e) {
        // A worker that was just ended lets go of its files a little later.
        if (e.name !== "NoModificationAllowedError" || tries >= 10) throw e;
        await new Promise((done) => setTimeout(done, 50));
      }
    }
  };
  const letGo = (node) => {
    if (node.sah) node.sah.close();
    node.sah = null;
  };
  const take = async (node, writable) => {
    if (node.sah && (node.writable || !writable)) return;
    letGo(node);
    node.writable = node.writable || writable;
    node.sah = await access(node.handle, node.writable);
  };
  // A removed file lives on for those who have it open.
  const evict = async (path) => {
    const node = nodes.get(path);
    if (!node) return false;
    nodes.delete(path);
    letGo(node);
    const hidden = await (await directory("/")).getDirectoryHandle(HIDDEN, { create: true });
    node.gone = "gone-" + crypto.randomUUID();
    await node.handle.move(hidden, node.gone);
    node.handle = await hidden.getFileHandle(node.gone);
    await take(node, node.writable);
    return true;
  };

  // Descriptors.
  const fds = new Map([[0, { std: true }], [1, { std: true }], [2, { std: true }]]);
  const newFD = (f) => {
    let fd = 3;
    while (fds.has(fd)) fd++;
    fds.set(fd, f);
    return fd;
  };
  const descriptor = (fd) => {
    const f = fds.get(fd);
    if (!f) throw fail("EBADF", "descriptor " + fd);
    return f;
  };
  const regular = (fd) => {
    const f = descriptor(fd);
    if (f.dir) throw fail("EISDIR", f.path);
    if (f.std) throw fail("EBADF", "descriptor " + fd);
    return f;
  };

  const open = (path, flags) => inTurn(async () => {
    path = resolve(path);
    const writable = (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
    let h = await find(path);
    if (h && (flags & constants.O_CREAT) && (flags & constants.O_EXCL)) throw fail("EEXIST", path);
    if (!h) {
      if (!(flags & constants.O_CREAT)) throw fail("ENOENT", path);
      const [parent, name] = split(path);
      const make = async () => (await directory(parent)).getFileHandle(name, { create: true });
      h = !(flags & constants.O_EXCL) ? await make() : await alone(async () => {
        if (await find(path)) throw fail("EEXIST", path);
        return make();
      });
    }
    if (h.kind === "directory") {
      if (writable || (flags & constants.O_CREAT)) throw fail("EISDIR", path);
      return newFD({ dir: true, path });
    }
    if (flags & constants.O_DIRECTORY) throw fail("ENOTDIR", path);
    let node = nodes.get(path);
    if (!node) node = { path, handle: h, sah: null, writable: false, users: 0, number: number(path), changed: (await h.getFile()).lastModified };
    await take(node, writable);
    nodes.set(path, node);
    if (writable && (flags & constants.O_TRUNC)) node.sah.truncate(0);
    node.users++;
    return newFD({ node, at: 0, writable, readable: !(flags & constants.O_WRONLY), append: (flags & constants.O_APPEND) !== 0 });
  });

  const close = async (fd) => {
    const { node } = descriptor(fd);
    fds.delete(fd);
    if (!node || --node.users > 0) return;
    letGo(node);
    if (nodes.get(node.path) === node) nodes.delete(node.path);
    if (node.gone) await (await (await directory("/")).getDirectoryHandle(HIDDEN)).removeEntry(node.gone);
  };

  const read = (fd, buffer, offset, length, position) => {
    const f = regular(fd);
    if (!f.readable) throw fail("EBADF", f.node.path);
    const n = f.node.sah.read(buffer.subarray(offset, offset + length), { at: position === null ? f.at : position });
    if (position === null) f.at += n;
    return n;
  };
  const write = (fd, buffer, offset, length, position) => {
    if (fd === 1 || fd === 2) {
      print(fd, buffer.subarray(offset, offset + length));
      return length;
    }
    const f = regular(fd), { node } = f;
    if (!f.writable) throw fail("EBADF", node.path);
    const at = f.append ? node.sah.getSize() : position === null ? f.at : position;
    const n = node.sah.write(buffer.subarray(offset, offset + length), { at });
    node.changed = Date.now();
    if (position === null || f.append) f.at = at + n;
    if (n < length) throw fail("ENOSPC", node.path);
    return n;
  };
  const cut = (node, length) => {
    if (length < 0) throw fail("EINVAL", node.path);
    node.sah.truncate(length);
    node.changed = Date.now();
  };

  const stats = (dir, size, ino, ms) => ({
    dev: 1, ino, mode: dir ? 0o040777 : 0o100666, nlink: 1, uid: 0, gid: 0, rdev: 0, size, blksize: 4096, blocks: Math.ceil(size / 512),
    atimeMs: ms, mtimeMs: ms, ctimeMs: ms, isDirectory: () => dir,
  });
  const statNode = (node) => stats(false, node.sah.getSize(), node.number, node.changed);
  const stat = (path) => inTurn(async () => {
    path = resolve(path);
    if (nodes.has(path)) return statNode(nodes.get(path));
    const h = await must(path);
    if (h.kind === "directory") return stats(true, 0, number(path), 0);
    const f = await h.getFile();
    return stats(false, f.size, number(path), f.lastModified);
  });
  const fstat = (fd) => {
    const f = descriptor(fd);
    if (f.std) return { ...stats(false, 0, 1, 0), mode: 0o020666 };
    return f.dir ? stats(true, 0, number(f.path), 0) : statNode(f.node);
  };

  const makeDirectory = async (path) => {
    if (await find(path)) throw fail("EEXIST", path);
    const [parent, name] = split(path);
    dirs.set(path, await (await directory(parent)).getDirectoryHandle(name, { create: true }));
  };
  const readdir = (path) => inTurn(async () => {
    path = resolve(path);
    const h = await must(path);
    if (h.kind !== "directory") throw fail("ENOTDIR", path);
    const names = [];
    for await (const name of h.keys()) if (path !== "/" || name !== HIDDEN) names.push(name);
    return names.sort();
  });
  const remove = (path, wantDirectory) => inTurn(async () => {
    path = resolve(path);
    if (path === "/") throw fail("EBUSY", path);
    const h = await must(path), dir = h.kind === "directory";
    if (dir !== wantDirectory) throw fail(dir ? "EISDIR" : "ENOTDIR", path);
    if (!dir && await evict(path)) {
      renumber(path, null);
      return;
    }
    const [parent, name] = split(path);
    await (await directory(parent)).removeEntry(name);
    forget(path);
    renumber(path, null);
  });

  // Puts all that lies in one directory into another; can be repeated after it was cut short.
  const pour = async (from, to) => {
    const entries = [];
    for await (const h of from.values()) entries.push(h);
    for (const h of entries) {
      if (h.kind === "file") {
        await h.move(to, h.name);
      } else {
        await pour(h, await to.getDirectoryHandle(h.name, { create: true }));
        await from.removeEntry(h.name);
      }
    }
  };
  const moveDirectory = async (from, to) => {
    const [toParent, toName] = split(to), [fromParent, fromName] = split(from);
    const d = await (await directory(toParent)).getDirectoryHandle(toName, { create: true });
    await pour(await directory(from), d);
    await (await directory(fromParent)).removeEntry(fromName);
    forget(from);
  };
  const rename = (from, to) => inTurn(async () => {
    [from, to] = [resolve(from), resolve(to)];
    const source = await must(from), target = await find(to), dir = source.kind === "directory";
    if (from === to) return;
    if (below(to, from) || from === "/") throw fail("EINVAL", to);
    if (target && (target.kind === "directory") !== dir) throw fail(dir ? "ENOTDIR" : "EISDIR", to);
    if (target && dir && !(await isEmpty(target))) throw fail("ENOTEMPTY", to);
    if (target && !dir) await evict(to);
    const moved = [...nodes.values()].filter((n) => below(n.path, from));
    moved.forEach(letGo);
    let failure = null;
    try {
      if (dir) {
        await alone(async () => {
          const done = await note({ from, to });
          await moveDirectory(from, to);
          await done();
        });
      } else {
        const [parent, name] = split(to);
        await source.move(await directory(parent), name);
      }
      forget(from);
      forget(to);
      renumber(to, null);
      renumber(from, to);
      for (const n of moved) {
        nodes.delete(n.path);
        n.path = to + n.path.slice(from.length);
        nodes.set(n.path, n);
      }
    } catch (e) {
      failure = e;
    }
    for (const n of moved) {
      n.handle = await must(n.path);
      await take(n, n.writable);
    }
    if (failure) throw failure;
  });

  // Writes down that a directory is about to move; the function it gives takes the note back.
  const note = async (what) => {
    const hidden = await (await directory("/")).getDirectoryHandle(HIDDEN, { create: true });
    const name = "rename-" + crypto.randomUUID();
    const sah = await (await hidden.getFileHandle(name, { create: true })).createSyncAccessHandle();
    try {
      sah.write(new TextEncoder().encode(JSON.stringify(what)));
      sah.flush();
    } finally {
      sah.close();
    }
    return () => hidden.removeEntry(name);
  };
  // Ends what dead workers left half done. Who does it holds the lock that they held, so they are dead.
  const recover = () => inTurn(() => alone(async () => {
    const hidden = await (await directory("/")).getDirectoryHandle(HIDDEN, { create: true });
    const names = [];
    for await (const name of hidden.keys()) names.push(name);
    for (const name of names) {
      if (name.startsWith("rename-")) {
        let what = null;
        try {
          what = JSON.parse(await (await (await hidden.getFileHandle(name)).getFile()).text());
        } catch { /* torn, so nothing was moved */ }
        dirs.clear();
        const source = what && await find(what.from).catch(() => null);
        if (source && source.kind === "directory") await moveDirectory(what.from, what.to);
      }
      await hidden.removeEntry(name).catch(() => {}); // what is still open in another worker stays
    }
  }));

  // Lines that the program prints.
  const unfinished = { 1: "", 2: "" };
  const decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
  const print = (fd, bytes) => {
    const lines = (unfinished[fd] + decoders[fd].decode(bytes, { stream: true })).split("\n");
    unfinished[fd] = lines.pop();
    lines.forEach((line) => globalThis.fs.output(fd, line));
  };

  // Puts what a page hands over (a Blob, a File) at a path, whole or not at all.
  const put = async (path, blob, { signal, progress } = {}) => {
    path = resolve(path);
    const [parent, name] = split(path);
    await inTurn(async () => {
      let dir = await directory("/");
      for (const p of parent.split("/")) if (p) dir = await dir.getDirectoryHandle(p, { create: true });
    });
    const part = (parent === "/" ? "" : parent) + "/.put-" + name;
    const fd = await open(part, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC);
    try {
      const reader = blob.stream().getReader();
      let bytes = 0, told = performance.now();
      for (let r = await reader.read(); !r.done; r = await reader.read()) {
        signal?.throwIfAborted();
        write(fd, r.value, 0, r.value.length, null);
        bytes += r.value.length;
        if (performance.now() - told > 250) {
          told = performance.now();
          progress?.(bytes);
        }
      }
      fds.get(fd).node.sah.flush();
      await close(fd);
      await rename(part, path);
    } catch (e) {
      if (fds.has(fd)) await close(fd);
      await remove(part, false).catch(() => {});
      throw e;
    }
  };

  // The file at a path, for pages; its bytes stay where they are.
  const file = (path) => inTurn(async () => {
    const h = await must(resolve(path));
    if (h.kind !== "file") throw fail("EISDIR", path);
    return h.getFile();
  });

  // Where files that a page hands over, by their paths below it, can be put so that nothing is lost: at the path, or at one of its kind
  // beside it, where there is nothing but what they are themselves. "" is the path of one that is a file alone.
  const vacant = async (path, blobs) => {
    for (let n = 1; ; n++) {
      const at = n === 1 ? path : blobs.has("") ? path.replace(/((\.(csv|tsv|parquet))?\.[^./]*)?$/i, `-${n}$1`) : `${path}-${n}`;
      const there = !!(await has(at));
      if (!there || await amid(at, "", blobs)) return { at, there };
    }
  };
  const has = (path) => stat(path).catch((e) => {
    if (coded(e, path).code !== "ENOENT") throw e;
    return null;
  });
  // Whether what lies at a path, from name on, is all among the blobs. What is just being put there is of somebody else.
  const amid = async (path, name, blobs) => {
    if (!(await stat(path)).isDirectory()) return blobs.has(name) && same(await file(path), blobs.get(name));
    if (blobs.has(name)) return false;
    for (const e of await readdir(path)) {
      if (!(await amid(`${path}/${e}`, name ? `${name}/${e}` : e, blobs))) return false;
    }
    return true;
  };
  const same = async (a, b) => {
    if (a.size !== b.size) return false;
    const piece = 4 << 20;
    for (let at = 0; at < a.size; at += piece) {
      const [x, y] = await Promise.all([a, b].map((blob) => blob.slice(at, at + piece).arrayBuffer()));
      if (indexedDB.cmp(x, y) !== 0) return false;
    }
    return true;
  };

  // Node's way: the last argument hears of an error or the result.
  const called = (f, path) => (...args) => {
    const callback = args.pop();
    let result;
    try {
      result = f(...args);
    } catch (e) {
      callback(coded(e, path || String(args[0])));
      return;
    }
    if (result instanceof Promise) result.then((v) => callback(null, v), (e) => callback(coded(e, String(args[0]))));
    else callback(null, result);
  };
  const refused = (code) => called((path) => { throw fail(code, path); });
  // A descriptor whose file is just being moved waits for the end of that.
  const onFile = (f) => called((fd, ...args) => {
    const d = fds.get(fd);
    return d && d.node && !d.node.sah ? inTurn(() => f(fd, ...args)) : f(fd, ...args);
  });
  const there = called((path) => inTurn(async () => { await must(resolve(path)); }));

  globalThis.fs = {
    constants,
    mount: async () => {
      if (!navigator.storage || !navigator.storage.getDirectory) throw new Error("this browser has no file storage for pages (OPFS)");
      await recover();
    },
    recover,
    put,
    file,
    vacant,
    output: (fd, line) => console.log(line),
    writeSync: (fd, bytes) => { print(fd, bytes); return bytes.length; },

    open: called((path, flags) => open(path, flags)),
    close: onFile(close),
    read: onFile(read),
    write: onFile(write),
    fstat: onFile(fstat),
    fsync: onFile((fd) => { const { node } = descriptor(fd); if (node && node.writable) node.sah.flush(); }),
    ftruncate: onFile((fd, length) => {
      const f = regular(fd);
      if (!f.writable) throw fail("EINVAL", f.node.path);
      cut(f.node, length);
    }),
    truncate: called(async (path, length) => {
      const fd = await open(path, constants.O_WRONLY);
      try {
        cut(fds.get(fd).node, length);
      } finally {
        await close(fd);
      }
    }),
    stat: called(stat),
    lstat: called(stat),
    mkdir: called((path) => inTurn(() => makeDirectory(resolve(path)))),
    readdir: called(readdir),
    rename: called(rename),
    unlink: called((path) => remove(path, false)),
    rmdir: called((path) => remove(path, true)),
    chmod: there,
    fchmod: called((fd) => { descriptor(fd); }),
    chown: refused("ENOSYS"),
    fchown: refused("ENOSYS"),
    lchown: refused("ENOSYS"),
    link: refused("ENOSYS"),
    symlink: refused("ENOSYS"),
    readlink: refused("EINVAL"),
    utimes: refused("ENOSYS"),
  };
  globalThis.path = { resolve: (...parts) => resolve(parts.join("/")) };
  const unsupported = () => { throw fail("ENOSYS", "process"); };
  globalThis.process = {
    pid: -1, ppid: -1, getuid: () => -1, getgid: () => -1, geteuid: () => -1, getegid: () => -1, getgroups: unsupported, umask: unsupported,
    cwd: () => cwd,
    chdir: (path) => { cwd = resolve(path); },
  };
})();
