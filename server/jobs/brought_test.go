package jobs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// withFile is a request whose run brings another file of its own.
func withFile(start wire.Start, f wire.Blob) wire.Start {
	from := *start.From
	from.Files = slices.DeleteFunc(slices.Clone(from.Files), func(old wire.Blob) bool { return old.Path == f.Path })
	from.Files = append(from.Files, f)
	start.From = &from
	return start
}

// What servers and workers read of a run that is brought has bounds; a log that keeps to them and is none tells what it has of one.
func TestBroughtIsLarge(t *testing.T) {
	s := openShop(t, time.Minute)
	start := s.requests(t)["brought"]
	for _, f := range []wire.Blob{{Path: checkpoint.LogFile, Size: maxLog + 1}, {Path: checkpoint.ManifestFile, Size: maxManifest + 1}, {Path: checkpoint.ArgsFile, Size: maxRecipe + 1}} {
		f.SHA256 = start.From.Files[0].SHA256
		if _, err := s.Submit(t.Context(), "ada", withFile(start, f)); Status(err) != 413 || !strings.Contains(err.Error(), f.Path) {
			t.Errorf("%s of %d bytes: %v", f.Path, f.Size, err)
		}
	}
	path := filepath.Join(t.TempDir(), "log")
	log := `{"step":1,"loss":3}` + "\n" + strings.Repeat("x", 4*maxLine) + "\n" + `{"step":2,"loss":2}`
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	f := s.send(t, path)
	f.Path = checkpoint.LogFile
	id, err := s.Submit(t.Context(), "ada", withFile(start, f))
	if err != nil {
		t.Fatal(err)
	}
	s.began(t, id, true, 2)
}

// A log takes no more memory than one line of it.
func TestLogWithoutLines(t *testing.T) {
	const size = 32 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var lines []string
	log := io.MultiReader(io.LimitReader(endless{}, size), strings.NewReader("\none\n"), io.LimitReader(endless{}, maxLine+1), strings.NewReader("\n\ntwo"))
	err := eachLine(log, func(line []byte) error { lines = append(lines, string(bytes.TrimSpace(line))); return nil })
	runtime.ReadMemStats(&after)
	if err != nil || !slices.Equal(lines, []string{"one", "", "two"}) {
		t.Errorf("the lines %q, %v", lines, err)
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > size/8 {
		t.Errorf("a log of %d bytes took %d", size, made)
	}
	enough := errors.New("enough")
	if err := eachLine(strings.NewReader("a\nb\n"), func([]byte) error { return enough }); err != enough {
		t.Error(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// A run that was here before and comes again brings what of its checkpoints is not here, and what it has of its own.
func TestBroughtAgainIsNotSent(t *testing.T) {
	s := openShop(t, time.Minute)
	start := s.requests(t)["brought"]
	id, err := s.Submit(t.Context(), "ada", start)
	if err != nil {
		t.Fatal(err)
	}
	s.steer(t, id, "stop")
	dir := t.TempDir()
	s.bring(t, id, dir)
	for _, f := range start.From.Files {
		for _, user := range []string{"ada", "bob"} {
			size, whole, err := s.files.HaveOf(t.Context(), user, id, f.SHA256, 0)
			if want := user == "ada" && strings.Contains(f.Path, "/"); err != nil || whole != want || whole && size != f.Size {
				t.Errorf("%s of %s is here: %v, %d bytes (%v)", f.Path, user, whole, size, err)
			}
		}
	}
	if _, err := s.Submit(t.Context(), "ada", start); Status(err) != 409 || !strings.Contains(err.Error(), checkpoint.ArgsFile) {
		t.Errorf("without what it has of its own: %v", err)
	}
	for _, name := range []string{checkpoint.ArgsFile, checkpoint.LogFile} {
		s.send(t, filepath.Join(dir, name))
	}
	if again, err := s.Submit(t.Context(), "ada", start); err != nil || again != id {
		t.Fatalf("%s, %v", again, err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "checkpoint-2", checkpoint.StateFile))
	if err != nil {
		t.Fatal(err)
	}
	_, in, err := s.files.Open(t.Context(), "ada", id, "checkpoint-2/"+checkpoint.StateFile)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, want) {
		t.Errorf("its State is %q, was %q (%v)", got, want, err)
	}
}
