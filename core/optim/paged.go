package optim

import (
	"fmt"
	"strings"

	"hone/core/tensor"
)

// Layers cuts the parameters where the layer changes: the pieces in which an update goes that has the moments of one layer
// at a time on the device.
func Layers(params []Param) [][]Param {
	var list [][]Param
	for i, p := range params {
		if i == 0 || layer(p.Name) != layer(params[i-1].Name) {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], p)
	}
	return list
}

// layer is the name up to the first number in it, as in model.layers.3.; a tensor without one is a layer by itself.
func layer(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			return strings.Join(parts[:i+1], ".") + "."
		}
	}
	return name
}

// Windows are the states that moments are brought into when their layer's turn comes. Layers share them: of each shape
// there are as many as the layer with most tensors of that shape needs.
type Windows struct {
	Types map[string]tensor.Type
	Of    map[string]string // the window of a moment
}

// WindowsOf plans the windows of the parameters.
func (s Settings) WindowsOf(params []Param) Windows {
	w := Windows{Types: map[string]tensor.Type{}, Of: map[string]string{}}
	for _, layer := range Layers(params) {
		taken := map[string]int{} // of each shape
		for _, p := range layer {
			t := tensor.Of(tensor.F32, p.Shape...)
			for _, moment := range s.Moments(p.Name) {
				name := fmt.Sprintf("window.%v.%d", t, taken[t.String()])
				taken[t.String()]++
				w.Types[name], w.Of[moment] = t, name
			}
		}
	}
	return w
}

// Bytes are what the windows take on the device.
func (w Windows) Bytes() int64 {
	var n int64
	for _, t := range w.Types {
		n += t.Bytes()
	}
	return n
}
