package nn

import "fmt"

// windowConfig are the sliding windows of Qwen2 and Qwen3: with use_sliding_window, layers from max_window_layers on,
// or those that layer_types calls sliding_attention, see sliding_window positions back.
type windowConfig struct {
	UseSlidingWindow bool     `json:"use_sliding_window"`
	SlidingWindow    *int     `json:"sliding_window"`
	MaxWindowLayers  int      `json:"max_window_layers"`
	LayerTypes       []string `json:"layer_types"`
}

// windows gives how many positions back each layer sees, itself included; nil is all in every layer, 0 all in one.
func (j windowConfig) windows(layers int) ([]int, error) {
	if err := checkLayerTypes(j.LayerTypes, layers); err != nil {
		return nil, err
	}
	if !j.UseSlidingWindow || j.SlidingWindow == nil {
		return nil, nil
	}
	if *j.SlidingWindow < 1 {
		return nil, fmt.Errorf("sliding_window is %d; it must be at least 1, or null", *j.SlidingWindow)
	}
	out := make([]int, layers)
	for i := range out {
		sliding := i >= j.MaxWindowLayers
		if j.LayerTypes != nil {
			sliding = j.LayerTypes[i] == "sliding_attention"
		}
		if sliding {
			out[i] = *j.SlidingWindow
		}
	}
	return out, nil
}

// checkLayerTypes refuses a list of layer_types that does not fit the layers.
func checkLayerTypes(types []string, layers int) error {
	if types != nil && len(types) != layers {
		return fmt.Errorf("layer_types names %d layers, num_hidden_layers is %d", len(types), layers)
	}
	for i, t := range types {
		if t != "full_attention" && t != "sliding_attention" {
			return fmt.Errorf("layer_types[%d] is %q; supported are full_attention and sliding_attention", i, t)
		}
	}
	return nil
}
