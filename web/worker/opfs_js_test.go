package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"syscall/js"
	"testing"
)

// These tests run in a worker of a headless browser, on opfs.js: TestOPFS builds and drives them. They are what Go's package
// os promises on a Unix machine, as far as the core relies on it.

func dir(t *testing.T) string {
	t.Helper()
	d := filepath.Join("/", t.Name())
	if err := os.MkdirAll(d, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(d); err != nil {
			t.Error(err)
		}
	})
	return d
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, path, text string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("%s has %q (%v), want %q", path, got, err, text)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		list = append(list, name)
	}
	return list
}

func TestErrors(t *testing.T) {
	d := dir(t)
	file := filepath.Join(d, "file")
	put(t, file, "x")
	full := filepath.Join(d, "full")
	put2 := filepath.Join(full, "inner")
	if err := os.Mkdir(full, 0o777); err != nil {
		t.Fatal(err)
	}
	put(t, put2, "y")
	open := func(name string, flags int) error {
		f, err := os.OpenFile(name, flags, 0o666)
		if err == nil {
			f.Close()
		}
		return err
	}
	stat := func(name string) error { _, err := os.Stat(name); return err }
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"open a missing file", open(d+"/none", os.O_RDONLY), fs.ErrNotExist},
		{"create in a missing directory", open(d+"/none/file", os.O_RDWR|os.O_CREATE), fs.ErrNotExist},
		{"create below a file", open(file+"/below", os.O_RDWR|os.O_CREATE), syscall.ENOTDIR},
		{"exclusive on a file", open(file, os.O_RDWR|os.O_CREATE|os.O_EXCL), fs.ErrExist},
		{"exclusive on a directory", open(full, os.O_RDWR|os.O_CREATE|os.O_EXCL), fs.ErrExist},
		{"write to a directory", open(full, os.O_WRONLY), syscall.EISDIR},
		{"stat a missing file", stat(d + "/none"), fs.ErrNotExist},
		{"stat below a file", stat(file + "/below"), syscall.ENOTDIR},
		{"stat in a missing directory", stat(d + "/none/file"), fs.ErrNotExist},
		{"mkdir twice", os.Mkdir(full, 0o777), fs.ErrExist},
		{"mkdir over a file", os.Mkdir(file, 0o777), fs.ErrExist},
		{"mkdir in a missing directory", os.Mkdir(d+"/none/dir", 0o777), fs.ErrNotExist},
		{"remove a missing file", os.Remove(d + "/none"), fs.ErrNotExist},
		{"remove a full directory", os.Remove(full), syscall.ENOTEMPTY},
		{"rename a missing file", os.Rename(d+"/none", d+"/other"), fs.ErrNotExist},
		{"rename into a missing directory", os.Rename(file, d+"/none/file"), fs.ErrNotExist},
		{"rename a file over a directory", os.Rename(file, full), fs.ErrExist}, // package os asks first
		{"rename a directory over a file", os.Rename(full, file), syscall.ENOTDIR},
		{"rename a directory into itself", os.Rename(full, full+"/deep"), syscall.EINVAL},
		{"truncate a missing file", os.Truncate(d+"/none", 1), fs.ErrNotExist},
		{"link", os.Link(file, d+"/link"), errors.ErrUnsupported},
		{"symlink", os.Symlink(file, d+"/link"), errors.ErrUnsupported},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
		}
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("z")); !errors.Is(err, syscall.EBADF) {
		t.Errorf("a write to a file that was opened to read gives %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a read after Close gives %v", err)
	}
	want(t, file, "x")
	want(t, put2, "y")
}

func TestFiles(t *testing.T) {
	d := dir(t)
	path := filepath.Join(d, "file")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "hello, world")
	if _, err := f.WriteAt([]byte("J"), 0); err != nil {
		t.Error(err)
	}
	if at, err := f.Seek(-5, io.SeekEnd); err != nil || at != 7 {
		t.Error(at, err)
	}
	rest, err := io.ReadAll(f)
	if err != nil || string(rest) != "world" {
		t.Errorf("%q, %v", rest, err)
	}
	part := make([]byte, 8)
	if n, err := f.ReadAt(part, 7); n != 5 || err != io.EOF || string(part[:n]) != "world" {
		t.Errorf("%d, %v, %q", n, err, part)
	}
	if err := f.Truncate(5); err != nil {
		t.Error(err)
	}
	if st, err := f.Stat(); err != nil || st.Size() != 5 || !st.Mode().IsRegular() {
		t.Error(st, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Error(err)
	}
	want(t, path, "Jello")

	f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "+1")
	f.Seek(0, io.SeekEnd)
	io.WriteString(f, "+2")
	f.Close()
	want(t, path, "Jello+1+2")

	f, err = os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	want(t, path, "")
	if err := os.Truncate(path, 3); err != nil {
		t.Error(err)
	}
	want(t, path, "\x00\x00\x00")
	st, err := os.Stat(path)
	if err != nil || st.Size() != 3 || st.IsDir() || st.ModTime().Year() < 2020 {
		t.Errorf("%v, %v", st, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Error(err)
	}
	tmp, err := os.CreateTemp(d, "x-*")
	if err != nil {
		t.Fatal(err)
	}
	tmp.Close()
	os.Remove(tmp.Name())
	if err := os.Remove(path); err != nil {
		t.Error(err)
	}
	if got := names(t, d); len(got) != 0 {
		t.Errorf("%q is left", got)
	}
}

func TestTwoHandles(t *testing.T) {
	d := dir(t)
	path := filepath.Join(d, "file")
	put(t, path, "old text")
	r, err := os.Open(path) // for reading, before anybody writes
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.WriteAt([]byte("new"), 0)
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "new text" {
		t.Errorf("%q, %v", got, err)
	}
	a, _ := r.Stat()
	b, _ := w.Stat()
	c, err := os.Stat(path)
	if err != nil || !os.SameFile(a, b) || !os.SameFile(b, c) {
		t.Error("three looks at one file are not of one file", err)
	}
	// Under another name both go on.
	if err := os.Rename(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	w.WriteAt([]byte("NEW"), 0)
	if n, err := r.ReadAt(make([]byte, 8), 0); n != 8 || err != nil {
		t.Error(n, err)
	}
	want(t, path+"2", "NEW text")
	// A removed file is there for who has it open, and nobody else.
	if err := os.Remove(path + "2"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	put(t, path+"2", "another")
	part := make([]byte, 8)
	if _, err := r.ReadAt(part, 0); err != nil || string(part) != "NEW text" {
		t.Errorf("%q, %v", part, err)
	}
	if err := errors.Join(r.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	want(t, path+"2", "another")
}

func TestRename(t *testing.T) {
	d := dir(t)
	a, b := filepath.Join(d, "a"), filepath.Join(d, "b")
	put(t, a, "first")
	put(t, b, "second")
	open, err := os.Open(b) // the file that goes
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(a, b); err != nil {
		t.Fatal(err)
	}
	want(t, b, "first")
	if old, err := io.ReadAll(open); err != nil || string(old) != "second" {
		t.Errorf("the replaced file reads %q, %v", old, err)
	}
	open.Close()
	if err := os.Rename(b, b); err != nil {
		t.Error(err)
	}
	if got := names(t, d); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%q", got)
	}

	// A directory, with others in it. (Over an empty one package os does not allow it.)
	from, to := filepath.Join(d, "from"), filepath.Join(d, "to")
	if err := errors.Join(os.MkdirAll(filepath.Join(from, "deep", "deeper"), 0o777), os.Mkdir(filepath.Join(from, "empty"), 0o777)); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(from, "one"), "1")
	put(t, filepath.Join(from, "deep", "deeper", "two"), "2")
	inside, err := os.OpenFile(filepath.Join(from, "one"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if _, err := inside.WriteAt([]byte("I"), 0); err != nil {
		t.Errorf("a file that moved with its directory: %v", err)
	}
	inside.Close()
	want(t, filepath.Join(to, "one"), "I")
	want(t, filepath.Join(to, "deep", "deeper", "two"), "2")
	if got := names(t, to); !slices.Equal(got, []string{"deep/", "empty/", "one"}) {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(from); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name is left: %v", err)
	}
	if err := os.Mkdir(from, 0o777); err != nil {
		t.Error(err)
	}
	if err := syscall.Rename(from, to); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("renaming over a full directory gives %v", err)
	}
	if err := syscall.Rename(to, from); err != nil {
		t.Errorf("renaming over an empty directory: %v", err)
	}
	want(t, filepath.Join(from, "one"), "I")
}

func TestDirectories(t *testing.T) {
	d := dir(t)
	if err := os.MkdirAll(filepath.Join(d, "a", "b", "c"), 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		put(t, filepath.Join(d, "a", fmt.Sprintf("file-%02d", i)), "")
	}
	if got := names(t, filepath.Join(d, "a")); len(got) != 101 || got[0] != "b/" || got[100] != "file-99" {
		t.Errorf("%q", got)
	}
	seen := 0
	if err := filepath.WalkDir(d, func(string, fs.DirEntry, error) error { seen++; return nil }); err != nil || seen != 104 {
		t.Errorf("%d entries, %v", seen, err)
	}
	f, err := os.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); err == nil {
		t.Error("a directory can be read")
	}
	f.Close()
	t.Chdir(filepath.Join(d, "a"))
	if at, err := filepath.Abs("../x"); err != nil || at != filepath.Join(d, "x") {
		t.Error(at, err)
	}
	if _, err := os.Stat("file-07"); err != nil {
		t.Error(err)
	}
	t.Chdir("/")
	if err := os.RemoveAll(filepath.Join(d, "a")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(d, "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, name := range names(t, "/") {
		if name == ".opfs/" {
			t.Error("the notes of renames are in sight")
		}
	}
}

func TestLargeFile(t *testing.T) {
	path := filepath.Join(dir(t), "large")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1<<20)
	const pieces = 48
	for i := range pieces {
		for j := range piece {
			piece[j] = byte(i + j*7)
		}
		if n, err := f.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if f, err = os.Open(path); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() != pieces<<20 {
		t.Error(st.Size(), err)
	}
	got := make([]byte, 1<<20)
	for i := range pieces {
		for j := range piece {
			piece[j] = byte(i + j*7)
		}
		if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, piece) {
			t.Fatalf("piece %d differs (%v)", i, err)
		}
	}
}

// TestPut stores files of the page: whole, or nothing of them.
func TestPut(t *testing.T) {
	d := dir(t)
	const size = 3 << 20
	text := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	array := js.Global().Get("Uint8Array").New(size)
	js.CopyBytesToJS(array, text)
	blob := js.Global().Get("Blob").New([]any{array})
	store := func(path string, end js.Value) (failed string) {
		done := make(chan string, 1)
		good := js.FuncOf(func(js.Value, []js.Value) any { done <- ""; return nil })
		bad := js.FuncOf(func(_ js.Value, args []js.Value) any { done <- args[0].Get("name").String(); return nil })
		defer good.Release()
		defer bad.Release()
		js.Global().Get("fs").Call("put", path, blob, map[string]any{"signal": end.Get("signal")}).Call("then", good, bad)
		return <-done
	}
	controller := js.Global().Get("AbortController")
	file := filepath.Join(d, "models", "new", "file")
	if failed := store(file, controller.New()); failed != "" {
		t.Fatal(failed)
	}
	want(t, file, string(text))

	put(t, file, "as it was")
	end := controller.New()
	end.Call("abort")
	if failed := store(file, end); failed != "AbortError" {
		t.Errorf("the storing that was ended says %q", failed)
	}
	want(t, file, "as it was")
	if list := names(t, filepath.Dir(file)); !slices.Equal(list, []string{"file"}) {
		t.Errorf("the storing that was ended leaves %v", list)
	}
}

// TestManyAtOnce lets goroutines work side by side.
func TestManyAtOnce(t *testing.T) {
	d := dir(t)
	failed := make(chan error)
	for i := range 16 {
		go func() {
			sub := filepath.Join(d, fmt.Sprint(i))
			err := os.Mkdir(sub, 0o777)
			for k := range 4 {
				name := filepath.Join(sub, "f")
				err = errors.Join(err, os.WriteFile(name, []byte{byte(k)}, 0o666), os.Rename(sub, sub+"x"), os.Rename(sub+"x", sub))
				got, readErr := os.ReadFile(name)
				if err = errors.Join(err, readErr); err == nil && !bytes.Equal(got, []byte{byte(k)}) {
					err = fmt.Errorf("%s has %v", name, got)
				}
			}
			failed <- err
		}()
	}
	for range 16 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// TestCutShort finds what a worker leaves that dies while it renames a directory.
func TestCutShort(t *testing.T) {
	d := dir(t)
	from, to := filepath.Join(d, "from"), filepath.Join(d, "to")
	for _, sub := range []string{"from/sub", "to", "../.opfs"} {
		if err := os.MkdirAll(filepath.Join(d, sub), 0o777); err != nil && sub != "../.opfs" {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(to, "a"), "a") // moved already
	put(t, filepath.Join(from, "b"), "b")
	put(t, filepath.Join(from, "sub", "c"), "c")
	put(t, "/.opfs/rename-dead", fmt.Sprintf(`{"from":%q,"to":%q}`, from, to))
	put(t, "/.opfs/rename-torn", `{"from":"/`)
	put(t, "/.opfs/gone-1", "an open file of the dead")
	done := make(chan bool, 1)
	settled := js.FuncOf(func(js.Value, []js.Value) any { done <- true; return nil })
	defer settled.Release()
	js.Global().Get("fs").Call("recover").Call("then", settled, settled)
	<-done
	for name, text := range map[string]string{"a": "a", "b": "b", "sub/c": "c"} {
		want(t, filepath.Join(to, name), text)
	}
	if _, err := os.Stat(from); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left (%v)", from, err)
	}
	for _, name := range []string{"rename-dead", "rename-torn", "gone-1"} {
		if _, err := os.Stat("/.opfs/" + name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left (%v)", name, err)
		}
	}
}
