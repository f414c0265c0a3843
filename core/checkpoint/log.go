package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// Pair is one member of a log line.
type Pair struct {
	Key   string
	Value any
}

// LogLine is a JSON object whose members keep their order. NaN and Inf, which JSON cannot write, become null.
type LogLine []Pair

// MarshalJSON writes the line.
func (l LogLine) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		if x, ok := p.Value.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
			p.Value = nil
		}
		key, err := json.Marshal(p.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.Value)
		if err != nil {
			return nil, fmt.Errorf("log value %q: %w", p.Key, err)
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// LogPath is where logging.jsonl lies.
func (r Run) LogPath() string { return filepath.Join(r.Dir, LogFile) }

// AppendLog adds one object to logging.jsonl, and to h if it is given. A line that does not fit on the disk is taken back whole.
func (r Run) AppendLog(line any, h *History) error {
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("log line: %w", err)
	}
	path := r.LogPath()
	if err := appendWhole(path, append(data, '\n')); err != nil {
		return fmt.Errorf("writing to %s: %w", path, explain(err))
	}
	if h != nil {
		h.Add(data)
	}
	return nil
}

func appendWhole(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		err = onDisk("append", path)
	}
	if err == nil {
		if _, err = f.Write(data); err != nil {
			f.Truncate(size)
		}
	}
	return errors.Join(err, f.Close())
}

// ReadLog gives the objects of logging.jsonl in order. Lines that are not objects, such as one that a kill tore, are left out.
// A run without a log has none.
func (r Run) ReadLog() ([]json.RawMessage, error) {
	var out []json.RawMessage
	_, err := r.eachLine(func(raw []byte, step float64) error {
		out = append(out, bytes.Clone(raw))
		return nil
	})
	return out, err
}

// CutLog takes the lines of steps after step out of logging.jsonl, and with them every line that is no object: a resumed run
// writes them again. It returns how many lines went.
func (r Run) CutLog(step int) (int, error) {
	path := r.LogPath()
	var kept bytes.Buffer
	later := 0
	torn, err := r.eachLine(func(raw []byte, at float64) error {
		if at > float64(step) {
			later++
			return nil
		}
		kept.Write(raw)
		kept.WriteByte('\n')
		return nil
	})
	if err != nil || later+torn == 0 {
		return 0, err
	}
	return later + torn, replace(path, kept.Bytes())
}

// eachLine calls f with every whole line and its step; a line without one belongs to the step before it. It returns the number
// of lines that are no objects. The last line counts as torn when no line end follows it, whatever it looks like.
func (r Run) eachLine(f func(raw []byte, step float64) error) (torn int, err error) {
	path := r.LogPath()
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	step := 0.0
	for {
		raw, err := in.ReadBytes('\n')
		if err == io.EOF {
			if len(raw) > 0 {
				torn++
			}
			return torn, nil
		}
		if err != nil {
			return torn, fmt.Errorf("reading %s: %w", path, err)
		}
		raw = bytes.TrimSpace(raw)
		var head struct {
			Step *float64 `json:"step"`
		}
		if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &head) != nil {
			torn++
			continue
		}
		if head.Step != nil {
			step = *head.Step
		}
		if err := f(raw, step); err != nil {
			return torn, err
		}
	}
}
