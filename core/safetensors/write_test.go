package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hone/core/golden"
	"hone/core/tensor"
)

func put(b []byte, v uint64, n int) {
	for i := range n {
		b[i] = byte(v >> (8 * i))
	}
}

func bytesOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// write makes a file in memory and opens it.
func write(t testing.TB, tensors []Tensor, metadata map[string]string) *File {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	f, err := open(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRoundTrip(t *testing.T) {
	meta := map[string]string{"format": "pt", "note <&>": "日本語 \" \\ \n"}
	vals := make([]float32, 3*chunk/4+5)
	for i := range vals {
		vals[i] = float32(i) - 0.5
	}
	tensors := []Tensor{
		{"odd", "U8", tensor.Shape{3}, bytesOf([]byte{1, 2, 3})},
		Floats("b.weight", vals, len(vals)),
		FromHost("ids", tensor.Ints([]int32{-1, 1 << 30}, 1, 2)),
		Floats("a \"quoted\"", []float32{7}),
		{"none", "F64", tensor.Shape{0, 4}, nil},
		{"half", "BF16", tensor.Shape{1, 1}, bytesOf([]byte{0x80, 0x3f})},
	}
	var first, second bytes.Buffer
	if err := Write(&first, tensors, meta); err != nil {
		t.Fatal(err)
	}
	for i, j := 0, len(tensors)-1; i < j; i, j = i+1, j-1 {
		tensors[i], tensors[j] = tensors[j], tensors[i]
	}
	if err := Write(&second, tensors, meta); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the order of the arguments changes the file")
	}
	f, err := open(first.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(f.Metadata(), meta) {
		t.Errorf("metadata %q, want %q", f.Metadata(), meta)
	}
	for _, want := range tensors {
		info, ok := f.Lookup(want.Name)
		if !ok || info.DType != want.DType || !info.Shape.Equal(want.Shape) {
			t.Errorf("%q: found %v, %s%v, want %s%v", want.Name, ok, info.DType, info.Shape, want.DType, want.Shape)
		}
		if width := int64(dtypeBits[info.DType] / 8); info.Offset%width != 0 {
			t.Errorf("%q lies at %d, which is not aligned to %d bytes", want.Name, info.Offset, width)
		}
	}
	if len(f.Tensors()) != len(tensors) {
		t.Errorf("%d tensors, want %d", len(f.Tensors()), len(tensors))
	}
	got := make([]float32, len(vals))
	if err := f.ReadF32("b.weight", got); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i] != vals[i] {
			t.Fatalf("element %d is %v, want %v", i, got[i], vals[i])
		}
	}
	ids, err := f.ReadBytes("ids")
	if err != nil || !bytes.Equal(ids, []byte{255, 255, 255, 255, 0, 0, 0, 64}) {
		t.Errorf("ids are % x, %v", ids, err)
	}
	r, err := f.Reader("odd")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, []byte{1, 2, 3}) {
		t.Errorf("odd is % x, %v", b, err)
	}
}

// A file written by the reference library comes out byte for byte when it is written again.
func TestWritesAsTheReference(t *testing.T) {
	path := golden.Own(t, "tiny_nf4.safetensors")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := open(want)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []Tensor
	for _, info := range f.Tensors() {
		b, err := f.ReadBytes(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, Tensor{info.Name, info.DType, info.Shape, bytesOf(b)})
	}
	var got bytes.Buffer
	if err := Write(&got, tensors, f.Metadata()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the bytes differ from the reference's")
	}
}

func TestWriteRefuses(t *testing.T) {
	x := []float32{1}
	for _, c := range []struct {
		name    string
		tensors []Tensor
		meta    map[string]string
		want    string
	}{
		{"same name", []Tensor{Floats("a", x, 1), Floats("a", x, 1)}, nil, `two tensors are called "a"`},
		{"reserved name", []Tensor{Floats("__metadata__", x, 1)}, nil, "cannot be called"},
		{"name not UTF-8", []Tensor{Floats("\xff", x, 1)}, nil, "not UTF-8"},
		{"metadata not UTF-8", nil, map[string]string{"a": "\xff"}, "not UTF-8"},
		{"unknown dtype", []Tensor{{"a", "NF4", tensor.Shape{1}, nil}}, nil, "unknown dtype"},
		{"negative shape", []Tensor{{"a", "U8", tensor.Shape{-1}, nil}}, nil, "negative"},
		{"too few bytes", []Tensor{{"a", "U8", tensor.Shape{4}, bytesOf([]byte{1})}}, nil, "3 fewer than U8[4] takes"},
		{"no data", []Tensor{{"a", "U8", tensor.Shape{4}, nil}}, nil, "4 fewer"},
		{"too many bytes", []Tensor{{"a", "U8", tensor.Shape{1}, bytesOf([]byte{1, 2})}}, nil, "longer than"},
		{"file too large to count", []Tensor{
			{"a", "U64", tensor.Shape{1 << 60}, nil}, {"b", "U8", tensor.Shape{1 << 60}, nil}}, nil, "more bytes than can be counted"},
	} {
		if err := Write(io.Discard, c.tensors, c.meta); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// fullAfter fails as a full disk does, after n bytes.
type fullAfter struct{ n int }

func (f *fullAfter) Write(p []byte) (int, error) {
	if len(p) > f.n {
		n := f.n
		f.n = 0
		return n, syscall.ENOSPC
	}
	f.n -= len(p)
	return len(p), nil
}

func TestWriteToFullDisk(t *testing.T) {
	tensors := []Tensor{Floats("a", make([]float32, chunk), chunk), Floats("b", make([]float32, 10), 10)}
	var whole bytes.Buffer
	if err := Write(&whole, tensors, nil); err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 7, 8, 100, chunk, 2*chunk + 1, whole.Len() - 1} {
		if err := Write(&fullAfter{room}, tensors, nil); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("room for %d of %d bytes: error %v, want the disk's", room, whole.Len(), err)
		}
	}
	if err := Write(&fullAfter{whole.Len()}, tensors, nil); err != nil {
		t.Errorf("room for all: %v", err)
	}
}

func TestWriteFileKeepsTheOldOne(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	if err := WriteFile(path, []Tensor{Floats("old", []float32{1, 2}, 2)}, nil); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	full := Tensor{"new", "U8", tensor.Shape{1 << 20}, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 1<<19)); err != nil {
			return err
		}
		return fmt.Errorf("write: %w", syscall.ENOSPC)
	}}
	err = WriteFile(path, []Tensor{full}, nil)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("error %v, want the disk's, with the path and what to do", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, old) {
		t.Errorf("the old file has changed (%v)", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the folder holds %v, want model.safetensors alone", left)
	}
	if err := WriteFile(path, []Tensor{Floats("new", []float32{3}, 1)}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := f.Lookup("new"); !ok {
		t.Errorf("the new file has %v", f.Tensors())
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the folder holds %v after a good write", left)
	}
	if err := WriteFile(filepath.Join(dir, "no", "x"), nil, nil); err == nil || !strings.Contains(err.Error(), "check that the folder exists") {
		t.Errorf("writing into a missing folder: %v", err)
	}
}
