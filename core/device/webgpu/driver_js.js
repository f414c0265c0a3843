// The part of the browser's driver that runs in JavaScript: what the Go binding cannot do (limits, error scopes, device
// lost) and what would be slow from Go (a step is one call of replay). It keeps objects by the numbers that Go gives them.
// The worker loads this file before the program; a page whose policy forbids eval can do that.
"use strict";

const devices = new Set(); // that are not lost

globalThis.honeWebGPU = async () => {
  const gpu = globalThis.navigator && navigator.gpu;
  if (!gpu) throw new Error("this browser has no WebGPU (navigator.gpu is missing)");
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("WebGPU finds no adapter");
  const requiredLimits = {};
  for (const name in adapter.limits) {
    if (typeof adapter.limits[name] === "number") requiredLimits[name] = adapter.limits[name];
  }
  const device = await adapter.requestDevice({ label: "hone", requiredLimits });
  const queue = device.queue;
  const filters = ["validation", "out-of-memory", "internal"];
  const buffers = new Map(), pipelines = new Map(), groups = new Map(), programs = new Map();
  const tables = { buffers, pipelines, groups, programs };
  let scratch = new Uint8Array(1 << 20);
  const compiling = []; // kernels, as promises of what is wrong with them
  let lost = "", stray = "", longest = 0;
  devices.add(device);
  device.lost.then((info) => {
    devices.delete(device);
    lost = info.reason + ": " + (info.message || "no reason given");
  });
  device.onuncapturederror = (e) => { stray = stray || e.error.message; };

  // What was made and done, for who measures: a step that is replayed makes nothing.
  const counts = honeWebGPU.counts;
  for (const name of ["createBuffer", "createBindGroup", "createComputePipelineAsync"]) {
    const make = device[name].bind(device);
    device[name] = (descriptor) => {
      counts[name]++;
      return make(descriptor);
    };
  }
  const compile = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => {
    const module = compile(descriptor);
    honeWebGPU.sources.set(module, descriptor.code);
    return module;
  };

  const push = () => filters.forEach((f) => device.pushErrorScope(f));
  const pop = async () => {
    const [errors, refused] = await Promise.all([Promise.all(filters.map(() => device.popErrorScope())), Promise.all(compiling.splice(0))]);
    const first = errors.find((e) => e), kernel = refused.find((text) => text);
    const message = kernel || (first ? first.constructor.name + ": " + first.message : stray);
    stray = "";
    return message;
  };

  // What the compiler says of a shader module: the place, the line and the message of each error.
  const explain = async (module) => {
    const { messages } = await module.getCompilationInfo();
    const source = honeWebGPU.sources.get(module) || "";
    return messages.filter((m) => m.type === "error").map((m) => {
      const line = source.split("\n")[m.lineNum - 1];
      return `line ${m.lineNum}, column ${m.linePos}: ${m.message}` + (line === undefined ? "" : `\n    ${line.trim()}`);
    }).join("\n");
  };

  // Reads commands as driver_js.go writes them: a kind, then words that name objects by their numbers.
  const DISPATCH = 0, COPY = 1, CUT = 2;
  const commands = (words) => {
    const list = [];
    for (let i = 0; i < words.length;) {
      const [a, b, c, d, e] = words.subarray(i + 1, i + 6);
      switch (words[i]) {
        case DISPATCH:
          list.push({ pipeline: pipelines.get(a), group: groups.get(b), x: c, y: d, z: e });
          i += 6;
          break;
        case COPY:
          list.push({ from: buffers.get(a), at: b, to: buffers.get(c), into: d, bytes: e });
          i += 6;
          break;
        case CUT:
          list.push({});
          i += 1;
          break;
        default:
          throw new Error("unknown command " + words[i]);
      }
    }
    return list;
  };
  const submit = (list) => {
    let encoder = null, pass = null, before = performance.now();
    const began = before, dispatches = counts.dispatches;
    let submitting = 0;
    longest = 0;
    const open = () => (encoder = encoder || device.createCommandEncoder());
    const endPass = () => { if (pass) { pass.end(); pass = null; } };
    const flush = () => {
      endPass();
      if (encoder) {
        const finished = encoder.finish(), at = performance.now();
        queue.submit([finished]);
        submitting += performance.now() - at;
        queue.onSubmittedWorkDone().then(() => {
          const now = performance.now();
          longest = Math.max(longest, now - before);
          before = now;
        }, () => {});
      }
      encoder = null;
    };
    let bound = null; // the pipeline that is set in the pass
    for (const c of list) {
      if (c.group) {
        if (!pass) {
          pass = open().beginComputePass();
          bound = null;
        }
        if (c.pipeline !== bound) pass.setPipeline(bound = c.pipeline);
        pass.setBindGroup(0, c.group);
        pass.dispatchWorkgroups(c.x, c.y, c.z);
        counts.dispatches++;
      } else if (c.from) {
        endPass();
        open().copyBufferToBuffer(c.from, c.at, c.to, c.into, c.bytes);
      } else {
        flush();
      }
    }
    flush();
    counts.encoding += performance.now() - began - submitting;
    counts.submitting += submitting;
    counts[dispatches < counts.dispatches ? "replays" : "copies"]++;
  };

  const info = adapter.info || {};
  return {
    device,
    name: [info.description || info.device, info.vendor, info.architecture].filter((s) => s).join(", ") || "unnamed adapter",
    // Chromium's software adapter is SwiftShader; isFallbackAdapter is not everywhere.
    software: Boolean(info.isFallbackAdapter || adapter.isFallbackAdapter || info.architecture === "swiftshader"),
    limits: device.limits,
    features: [...adapter.features].sort().join(" "),
    longest: () => longest, // milliseconds between the ends of two submissions of the last replay
    lost: () => lost,
    // Something failed that does not fail on a device that is there: the word that it is gone may come a little later.
    gone: async () => {
      await Promise.race([device.lost, new Promise((ok) => setTimeout(ok, honeWebGPU.patience))]);
      return lost;
    },
    put: (table, id, object) => { tables[table].set(id, object); },
    drop: (table, id) => { tables[table].delete(id); },

    // The array through which bytes go in and out, at least n long.
    scratch: (n) => {
      if (scratch.length < n) scratch = new Uint8Array(n);
      return scratch;
    },
    write: (id, offset, n) => { queue.writeBuffer(buffers.get(id), offset, scratch, 0, n); },
    record: (id, bytes) => { programs.set(id, commands(new Uint32Array(scratch.slice(0, bytes).buffer))); },

    push,
    pop,

    // Begins to compile a kernel. The scope that is open ends when that is done, and tells if it could not be: browsers compile several
    // at the same time, and drivers take long.
    compile: (id, label, module, layout) => {
      compiling.push(device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: "main" } }).then(
        (pipeline) => { pipelines.set(id, pipeline); return ""; },
        async (e) => `kernel ${label}: ` + (await explain(module).catch(() => "") || e.message)));
    },

    // Runs a program on the feedLen bytes in scratch; leaves outLen bytes of the buffer `out` there.
    replay: async (id, feed, feedLen, out, outLen) => {
      push();
      let done;
      try {
        if (feedLen > 0) queue.writeBuffer(buffers.get(feed), 0, scratch, 0, feedLen);
        submit(programs.get(id));
        done = outLen > 0 ? buffers.get(out).mapAsync(GPUMapMode.READ, 0, outLen) : queue.onSubmittedWorkDone();
        done = done.then(() => "", (e) => String(e));
      } catch (e) {
        done = Promise.resolve(String(e));
      }
      const [refused, failed] = await Promise.all([pop(), done]);
      if (refused || failed) return refused || failed;
      if (outLen > 0) {
        scratch.set(new Uint8Array(buffers.get(out).getMappedRange(0, outLen)));
        buffers.get(out).unmap();
      }
      return "";
    },
  };
};

// Since the worker began: objects made, dispatches, replays of programs that compute and of those that only copy (a download),
// and the milliseconds that encoding and handing over took. A submission wakes the browser's GPU process, which may take this
// thread's core then; that is no cost of a dispatch.
honeWebGPU.counts = { createBuffer: 0, createBindGroup: 0, createComputePipelineAsync: 0, dispatches: 0, replays: 0, copies: 0, encoding: 0, submitting: 0 };
honeWebGPU.sources = new WeakMap(); // of shader modules
honeWebGPU.patience = 1000; // milliseconds that the word of a lost device is waited for when something fails

// Takes all devices away, as a driver that fails does.
honeWebGPU.lose = () => { devices.forEach((d) => d.destroy()); };
