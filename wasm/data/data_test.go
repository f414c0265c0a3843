//go:build !js

// Package data_test drives the program in a browser; the reading itself is tested in core/table.
package data_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/text/encoding/simplifiedchinese"

	"hone/web/worker/workertest"
)

type row struct {
	Query    string   `parquet:"query"`
	Response string   `parquet:"response"`
	Tags     []string `parquet:"tags,list"`
}

// TestTables sends files to the worker: a table in GB18030 larger than a block, a Parquet file, and one that is broken.
func TestTables(t *testing.T) {
	dir := t.TempDir()
	const rows = 20000
	var text strings.Builder
	text.WriteString("问题,回答\n")
	for i := range rows {
		fmt.Fprintf(&text, "今天天气怎么样，这是第 %d 个问题？,\"很好, 我们出去走走吧。这里再写一些字。\"\n", i)
	}
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(gb) < 1<<20 {
		t.Fatalf("the table has only %d bytes", len(gb))
	}
	var pq bytes.Buffer
	w := parquet.NewGenericWriter[row](&pq, parquet.Compression(&parquet.Zstd))
	for i := range 300 {
		if _, err := w.Write([]row{{fmt.Sprint("q", i), "好", []string{"x"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"data.wasm": workertest.Build(t, "data", "build", "-trimpath", "-ldflags=-s -w", "hone/wasm/data")}
	for name, content := range map[string]string{"rows.csv": gb, "rows.parquet": pq.String(), "bad.csv": "q,a\n1,2\n3\n"} {
		files[name] = filepath.Join(dir, name)
		if err := os.WriteFile(files[name], []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	address, browser := workertest.Serve(t, files), workertest.Start(t)
	for _, c := range []struct {
		name, first string
		rows        int
		fails       string
	}{
		{name: "rows.csv", rows: rows, first: `{"问题":"今天天气怎么样，这是第 0 个问题？","回答":"很好, 我们出去走走吧。这里再写一些字。"}`},
		{name: "rows.parquet", rows: 300, first: `{"query":"q0","response":"好","tags":["x"]}`},
		{name: "bad.csv", fails: "bad.csv: row 2 (line 3): it has 1 fields"},
	} {
		p := browser.Open(address, "data.js")
		workertest.Eval[bool](p, fmt.Sprintf(`fetch(%q).then((r) => r.blob()).then((blob) => { worker.postMessage({ type: "convert", name: %[1]q, blob, encoding: "" }); return true; })`, c.name))
		if !p.Wait(`messages.some((m) => m.type !== "progress")`, time.Minute) {
			t.Fatalf("%s: the worker does not answer", c.name)
		}
		got := workertest.Eval[string](p, `(async () => {
			const m = messages.find((m) => m.type !== "progress");
			const text = m.blob ? await m.blob.text() : "";
			return JSON.stringify({ ...m, first: text.split("\n")[0], lines: text.split("\n").length - 1 });
		})()`)
		var m struct {
			Type, Error, First, Encoding string
			Rows, Lines                  int
		}
		if err := json.Unmarshal([]byte(got), &m); err != nil {
			t.Fatal(err, got)
		}
		switch {
		case c.fails != "":
			if m.Type != "failed" || !strings.Contains(m.Error, c.fails) {
				t.Errorf("%s: %s", c.name, got)
			}
		case m.Type != "table" || m.Rows != c.rows || m.Lines != c.rows || m.First != c.first:
			t.Errorf("%s: %s", c.name, got)
		}
		p.Close()
	}
}
