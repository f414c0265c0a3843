//go:build js

package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"syscall/js"

	"hone/core/hub"
)

func init() { hub.Rows = tableRows }

// tableRows has data.wasm take the rows out of a table: what reads Parquet weighs as much as this program. Bytes do not pass through here.
func tableRows(ctx context.Context, from, to string, progress func(done, total int64)) (notes []string, err error) {
	tell := js.FuncOf(func(_ js.Value, args []js.Value) any {
		progress(int64(args[0].Float()), int64(args[1].Float()))
		return nil
	})
	defer tell.Release()
	end := js.Global().Get("AbortController").New()
	defer context.AfterFunc(ctx, func() { end.Call("abort") })()
	said, err := settled(js.Global().Call("putRows", filepath.Base(from), from, to, end.Get("signal"), tell))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return notes, json.Unmarshal([]byte(said.String()), &notes)
}
