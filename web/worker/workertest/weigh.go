//go:build !js

package workertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Weigh says what the functions of a WebAssembly program that Go has linked with names (without -ldflags=-s) weigh, by the module or
// package that they come from. What is no function is under "data": constants, tables of types and lines.
func Weigh(wasm []byte) (map[string]int, error) {
	if !bytes.HasPrefix(wasm, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, errors.New("this is no WebAssembly program")
	}
	sizes := map[string]int{}
	var bodies []int
	imported := 0
	names := map[int]string{}
	for at := wasm[8:]; len(at) > 0; {
		id := at[0]
		n, used := binary.Uvarint(at[1:])
		if used <= 0 || uint64(len(at)-1-used) < n {
			return nil, errors.New("the program is cut off")
		}
		section := at[1+used : 1+used+int(n)]
		at = at[1+used+int(n):]
		switch id {
		case 0:
			r := reader{section}
			if r.text() == "name" {
				r.names(names)
			}
		case 2:
			r := reader{section}
			for range r.number() {
				r.text()
				r.text()
				kind := r.byte()
				r.skipImport(kind)
				if kind == 0 {
					imported++
				}
			}
		case 10:
			r := reader{section}
			for range r.number() {
				n := r.number()
				bodies = append(bodies, n)
				r.at = r.at[n:]
			}
		case 11:
			sizes["data"] += len(section)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the program has no names; link it without -s")
	}
	for i, n := range bodies {
		sizes[origin(names[imported+i])] += n
	}
	return sizes, nil
}

// origin is where a function comes from by its name, in which Go has written what is no letter as an underscore: a package of ours or
// of the standard library, or another module.
func origin(name string) string {
	for _, host := range []string{"github.com_", "golang.org_", "honnef.co_"} {
		if rest, ok := strings.CutPrefix(name, host); ok {
			parts := strings.SplitN(rest, "_", 3)
			path, _, _ := strings.Cut(strings.Join(parts[:min(2, len(parts))], "/"), ".")
			return strings.TrimSuffix(host, "_") + "/" + path
		}
	}
	name, _, found := strings.Cut(name, ".")
	if !found {
		return "runtime"
	}
	return strings.ReplaceAll(name, "_", "/")
}

// reader goes through a section; the program was checked to be whole by section, and Go writes no others.
type reader struct{ at []byte }

func (r *reader) byte() byte { b := r.at[0]; r.at = r.at[1:]; return b }

func (r *reader) number() int {
	n, used := binary.Uvarint(r.at)
	if used <= 0 {
		panic(fmt.Sprintf("workertest: no number in a section, %d bytes before its end", len(r.at)))
	}
	r.at = r.at[used:]
	return int(n)
}

func (r *reader) text() string {
	n := r.number()
	s := string(r.at[:n])
	r.at = r.at[n:]
	return s
}

// skipImport skips what is imported: only functions and a memory are known here.
func (r *reader) skipImport(kind byte) {
	switch kind {
	case 0:
		r.number()
	case 2:
		if r.byte()&1 != 0 {
			r.number()
		}
		r.number()
	default:
		panic("workertest: an import that Go does not make")
	}
}

// names reads the subsection of function names.
func (r *reader) names(into map[int]string) {
	for len(r.at) > 0 {
		id, n := r.byte(), 0
		n = r.number()
		rest := r.at[n:]
		if id == 1 {
			for range r.number() {
				i := r.number()
				into[i] = r.text()
			}
		}
		r.at = rest
	}
}
