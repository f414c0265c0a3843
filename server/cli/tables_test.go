package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// The same rows in JSONL, CSV and Parquet, on disk or on a hub, give the same losses.
func TestTables(t *testing.T) {
	s := hubWorld(t)
	dir := t.TempDir()
	type row struct {
		Query    string `parquet:"query"`
		Response string `parquet:"response"`
	}
	var rows []row
	csv, jsonl := "query;response\n", ""
	for i := range 8 {
		r := row{fmt.Sprintf("What is %d, and why?", i), fmt.Sprintf("It is\nnumber %d.", i)}
		rows = append(rows, r)
		csv += fmt.Sprintf("%s;\"%s\"\n", r.Query, r.Response)
		jsonl += fmt.Sprintf("{\"query\": %q, \"response\": %q}\n", r.Query, r.Response)
	}
	var pages strings.Builder
	if err := parquet.Write[row](&pages, rows); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "rows.jsonl", jsonl)
	writeFile(t, dir, "rows.csv", csv)
	writeFile(t, dir, "folder/rows.parquet", pages.String())
	s.Add("datasets", "org/columns", map[string][]byte{"data/train-0.parquet": []byte(pages.String()), "data/test-0.parquet": []byte("PAR1")})
	losses := regexp.MustCompile(`"loss":[0-9.e-]+`)
	want := ""
	for _, name := range []string{"rows.jsonl", "rows.csv", "folder", "org/columns"} {
		out, status := hone(t, dir, "sft", "--model", "bundle/model", "--dataset", name, "--max_steps", "2", "--max_length", "64", "--device", "cpu", "--log_format", "json", "--output_dir", "out")
		got := strings.Join(losses.FindAllString(out, -1), " ")
		if status != 0 || strings.Count(got, "loss") < 2 {
			t.Fatalf("%s: exit status %d:\n%s", name, status, out)
		}
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s: %s, and %s of JSONL", name, got, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("HONE_HOME"), "tables", "*", ".rows-*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// A table cannot fill the disk.
func TestTablesAreBounded(t *testing.T) {
	l := &limited{io.Discard, mostRows(10)}
	piece := make([]byte, 1<<20)
	for range 1 << 10 {
		if _, err := l.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Write(piece); err == nil || !strings.Contains(err.Error(), "1 GiB") {
		t.Error(err)
	}
}
