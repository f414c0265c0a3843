package checkpoint

import (
	"bytes"
	"fmt"
	"io"

	"hone/core/safetensors"
	"hone/core/tensor"
)

// panelBytes bounds what is in memory of a matrix that is read transposed.
const panelBytes = 16 << 20

// Transposed reads a matrix [rows, cols] of elements of size bytes, stored row by row, as its transpose [cols, rows]. GPT-2
// stores its weights that way. It holds a panel of columns at a time.
func Transposed(src io.ReaderAt, rows, cols, size int) io.Reader {
	width := min(cols, max(1, panelBytes/(rows*size)))
	return &transposed{src: src, rows: rows, cols: cols, size: size, panel: make([]byte, width*rows*size), line: make([]byte, width*size)}
}

type transposed struct {
	src              io.ReaderAt
	rows, cols, size int
	next             int // the first column that has not been read
	panel, line      []byte
	ready            []byte // part of panel
}

func (t *transposed) Read(p []byte) (int, error) {
	if len(t.ready) == 0 {
		if t.next == t.cols {
			return 0, io.EOF
		}
		if err := t.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

// fill reads the next panel, a piece of every row, and turns it.
func (t *transposed) fill() error {
	column, size := t.rows*t.size, t.size
	width := min(t.cols-t.next, len(t.panel)/column)
	line := t.line[:width*size]
	for r := range t.rows {
		if n, err := t.src.ReadAt(line, int64(r*t.cols+t.next)*int64(size)); n < len(line) {
			return fmt.Errorf("row %d of %d: %w", r, t.rows, err)
		}
		for c := range width {
			copy(t.panel[c*column+r*size:][:size], line[c*size:])
		}
	}
	t.ready = t.panel[:width*column]
	t.next += width
	return nil
}

// TransposedTensor is a matrix as a checkpoint with [in, out] weights has it: with its lengths swapped and turned when it is
// written. The matrix lies in memory meanwhile.
func TransposedTensor(t safetensors.Tensor) safetensors.Tensor {
	out, in := t.Shape[0], t.Shape[1]
	data := t.Data
	t.Shape = tensor.Shape{in, out}
	t.Data = func(w io.Writer) error {
		var whole bytes.Buffer
		if err := data(&whole); err != nil {
			return err
		}
		_, err := io.Copy(w, Transposed(bytes.NewReader(whole.Bytes()), out, in, whole.Len()/(out*in)))
		return err
	}
	return t
}
