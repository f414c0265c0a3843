// Package worker is the JavaScript that runs Go programs in a dedicated worker of the page: a file system that lasts and the
// start of the trainer. There is no build step; the files are served as they are, beside Go's own wasm_exec.js.
package worker

import "embed"

// Files are opfs.js, the file system, trainer.js, the worker of the page, and data.js, the one that reads tables.
//
//go:embed opfs.js trainer.js data.js
var Files embed.FS
