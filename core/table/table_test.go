package table

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"hone/core/golden"
)

func convert(t testing.TB, name, content string, o Options) (string, Result, error) {
	t.Helper()
	var out bytes.Buffer
	res, err := Convert(context.Background(), name, strings.NewReader(content), int64(len(content)), &out, o)
	return out.String(), res, err
}

func TestCSV(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"commas", "query,response\nHi,Hello\n", `{"query":"Hi","response":"Hello"}`},
		{"tabs, no last newline", "query\tresponse\nHi, you\tHello", `{"query":"Hi, you","response":"Hello"}`},
		{"semicolons", "q;a\n\"1;2\";\"say \"\"x\"\"\"\n", `{"q":"1;2","a":"say \"x\""}`},
		{"carriage returns and empty lines", "q,a\r\n\r\n1,2\r\n", `{"q":"1","a":"2"}`},
		{"a mark, a cell of two lines", "\xEF\xBB\xBFq,a\n\"x\ny\",2\n", `{"q":"x\ny","a":"2"}`},
		{"one column", "text\nall of it\n", `{"text":"all of it"}`},
		{"quotes that are text", "q,a\n1,say \"x\"\n", `{"q":"1","a":"say \"x\""}`},
		{"a column without a name", "q,\n1,2\n", `{"q":"1","column_2":"2"}`},
		{"UTF-16", "\xFF\xFEq\x00,\x00a\x00\n\x001\x00,\x00\x60\x4F\n\x00", `{"q":"1","a":"你"}`},
		{"UTF-16 without a mark", "q\x00,\x00a\x00\n\x001\x00,\x002\x00\n\x00", `{"q":"1","a":"2"}`},
	} {
		got, res, err := convert(t, "rows.csv", c.in, Options{})
		if err != nil || got != c.want+"\n" || res.Rows != 1 {
			t.Errorf("%s: %q, %+v, %v; want %q", c.name, got, res, err, c.want)
		}
	}
}

func TestEncodings(t *testing.T) {
	for name, text := range map[string]string{
		"gb18030":      "问题,回答\n今天天气很好，你要去哪里？,我在家里看书。\n",
		"big5":         "問題,回答\n今天天氣很好，你要去哪裡？,我在家裡看書。\n",
		"shift_jis":    "質問,答え\n今日はどこへ行きますか。,家で本を読んでいます。\n",
		"euc-jp":       "質問,答え\n今日はどこへ行きますか。,家で本を読んでいます。\n",
		"euc-kr":       "질문,대답\n오늘은 어디에 가는지,집에서 책을 읽고 있다\n",
		"windows-1252": "Frage,Antwort\nWie spät ist es?,Es ist fünf vor zwölf.\n",
	} {
		for _, e := range guessed {
			if e.name != name {
				continue
			}
			raw, err := e.encoding.NewEncoder().String(text)
			if err != nil {
				t.Fatal(name, err)
			}
			got, res, err := convert(t, "rows.csv", raw, Options{})
			if err != nil || res.Encoding != name || !strings.Contains(got, strings.Split(strings.Split(text, "\n")[1], ",")[0]) {
				t.Errorf("%s: taken for %q: %q, %v", name, res.Encoding, got, err)
			}
			if _, res, err := convert(t, "rows.csv", raw, Options{Encoding: strings.ToUpper(name)}); err != nil || res.Encoding != name {
				t.Errorf("%s by name: %+v, %v", name, res, err)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"rows.csv", "", "the file is empty"},
		{"rows.csv", "q,a\n", "no rows"},
		{"rows.csv", "q,a\n1,2\n3\n", "row 2 (line 3): it has 1 fields, and the header names 2 columns (q, a)"},
		{"rows.csv", "q,a\n1,2\n\"3,4\n5,6\n", "row 2 (line 3): it has 1 fields"},
		{"rows.csv", "q,a\n1,2\n3,\"4\n5,6\n", "row 2 (line 3): its last field goes on to the end of the file"},
		{"rows.csv", "q,q\n1,2\n", `columns 1 and 2 are both called "q"`},
		{"rows.csv", "q,a\n1,\x81\x30\x81\n\xFF\xFF,\xFE\xFF\n", "no UTF-8"},
		{"rows.csv", "q\n\"" + strings.Repeat("x", maxRow+9999), "longer than"},
		{"rows.parquet", "PAR1PAR1", "no whole Parquet file"},
		{"rows.txt", "hello", "neither CSV nor Parquet"},
	} {
		_, _, err := convert(t, c.name, c.in, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.30q: %v, want %q", c.in, err, c.want)
		}
	}
	if _, _, err := convert(t, "rows.csv", "q\n1\n", Options{Encoding: "klingon"}); err == nil || !strings.Contains(err.Error(), "gb18030") {
		t.Errorf("an encoding that there is not: %v", err)
	}
}

// What others have collected as hard to read, and what it means.
func TestSpectrum(t *testing.T) {
	dir := filepath.Join(golden.Root(t), "..", "shared", "data", "badfiles", "csv-spectrum")
	files, _ := filepath.Glob(filepath.Join(dir, "*.csv"))
	if len(files) == 0 {
		t.Skip("../shared/data is not here")
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var want []map[string]any
		var got []map[string]any
		expected, err := os.ReadFile(filepath.Join(dir, "json", strings.TrimSuffix(filepath.Base(f), ".csv")+".json"))
		if bytes.HasPrefix(expected, []byte("{")) {
			expected = append(append([]byte("["), expected...), ']')
		}
		if err != nil || json.Unmarshal(expected, &want) != nil {
			t.Fatal(f, err)
		}
		lines, _, err := convert(t, filepath.Base(f), string(raw), Options{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
			continue
		}
		for line := range strings.Lines(lines) {
			row := map[string]any{}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			got = append(got, row)
		}
		for _, rows := range [][]map[string]any{want, got} { // how lines end inside a cell is no part of the text
			for _, row := range rows {
				delete(row, "Contact Phone Number") // of which the collection gives two
				for k, v := range row {
					row[k] = strings.ReplaceAll(fmt.Sprint(v), "\r\n", "\n")
				}
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", filepath.Base(f), got, want)
		}
	}
}

// A hospital's questions in GB18030, as they are passed around.
func TestRealCSV(t *testing.T) {
	path := filepath.Join(golden.Root(t), "..", "shared", "data", "datasets", "internal_medicine_gb18030.csv")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skip("../shared/data is not here")
	}
	progress := 0
	out, res, err := convert(t, "internal_medicine.csv", string(raw), Options{Progress: func(rows int, done, total int64) { progress++ }})
	t.Logf("%d rows, columns %q, %s; %d notices; first %.200s", res.Rows, res.Columns, res.Encoding, progress, out)
	if err != nil || res.Encoding != "gb18030" || res.Rows < 1000 || len(res.Columns) != 4 {
		t.Errorf("%+v, %v", res, err)
	}
}

type turn struct {
	Role    string  `parquet:"role"`
	Content *string `parquet:"content,optional"`
}

type example struct {
	ID       int64     `parquet:"id"`
	Text     string    `parquet:"text"`
	Messages []turn    `parquet:"messages,list"`
	Scores   []float64 `parquet:"scores,list"`
	Image    []byte    `parquet:"image"`
	Good     *bool     `parquet:"good,optional"`
	When     time.Time `parquet:"when,timestamp"`
}

func parquetOf(t testing.TB, rows int, o ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[example](&b, o...)
	hi := "hi"
	for i := range rows {
		e := example{ID: int64(i), Text: "问", Messages: []turn{{"user", &hi}, {"assistant", nil}}, Scores: []float64{1, 2.5}, Image: []byte("png"), When: time.Unix(5, 0)}
		if i == 2 {
			e.Image = []byte{0xFF, 0xD8}
		}
		if _, err := w.Write([]example{e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestParquet(t *testing.T) {
	for name, o := range map[string]parquet.WriterOption{"zstd": parquet.Compression(&parquet.Zstd), "snappy": parquet.Compression(&parquet.Snappy),
		"gzip": parquet.Compression(&parquet.Gzip), "none": parquet.Compression(&parquet.Uncompressed), "small groups": parquet.MaxRowsPerRowGroup(7)} {
		out, res, err := convert(t, "rows.parquet", parquetOf(t, 300, o), Options{})
		if err != nil || res.Rows != 300 || len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "image") || !strings.Contains(res.Notes[0], "row 3") {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		lines := strings.Split(out, "\n")
		if want := `{"id":0,"text":"问","messages":[{"content":"hi","role":"user"},{"content":null,"role":"assistant"}],"scores":[1,2.5],"image":"png","good":null,"when":5000}`; lines[0] != want {
			t.Errorf("%s: %s, want %s", name, lines[0], want)
		}
		if !strings.Contains(lines[2], `"image":null`) || !strings.HasPrefix(lines[299], `{"id":299,`) {
			t.Errorf("%s: %s, %s", name, lines[2], lines[299])
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	content := "q,a\n" + strings.Repeat("1,2\n", 10000)
	var out bytes.Buffer
	res, err := Convert(ctx, "rows.csv", strings.NewReader(content), int64(len(content)), &out, Options{Progress: func(int, int64, int64) { cancel() }})
	if !strings.Contains(err.Error(), context.Canceled.Error()) || res.Rows == 0 || res.Rows == 10000 {
		t.Errorf("%+v, %v", res, err)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("q,a\n1,\"2\"\"\"\n"))
	f.Add([]byte("\xFF\xFEq\x00\n\x00"))
	f.Add([]byte("\xC4\xE3,\xBA\xC3\n1,2\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, _, err := convert(t, "x.csv", string(raw), Options{})
		lines(t, out, err)
	})
}

func FuzzParquet(f *testing.F) {
	f.Add([]byte(parquetOf(f, 3)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, _, err := convert(t, "x.parquet", "PAR1"+string(raw), Options{})
		lines(t, out, err)
		out, _, err = convert(t, "x.parquet", string(raw), Options{})
		lines(t, out, err)
	})
}

// lines holds what was written to be JSON, row by row, and errors to be ours.
func lines(t *testing.T, out string, err error) {
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Fatalf("no JSON: %q", line)
		}
	}
	if err != nil && !errors.As(err, new(*Error)) {
		t.Fatalf("%T: %v", err, err)
	}
}
