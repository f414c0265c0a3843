package nn

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
)

// Rope is the rotary positions of a model or of one kind of its layers: which elements of a head turn, and how fast.
type Rope struct {
	Theta   float64
	Type    string    // of the scaling, as transformers' rope_type: default, linear, llama3 or dynamic
	InvFreq []float32 // radians a position of each pair; with dynamic those up to maxPositions
	Shape   op.RopeShape

	factor       float64 // of dynamic
	maxPositions int
}

// Frequencies is the table that op.RoPE reads for these positions. One of a batch serves all its layers.
//
// With dynamic it depends on the longest sequence of the batch, as transformers computes it for a batch of its own: the
// number of positions is that of the longest row of the micro-batch, not of the row. Transformers keeps the frequencies
// of the longest batch so far until a batch shorter than max_position_embeddings comes; here no batch depends on
// another. Keys in a cache stay as they were turned, in both; a long prompt that is read in pieces turns each piece by
// the length until there.
func (r Rope) Frequencies(c *Context, positions ir.Value) ir.Value {
	if r.Type == "dynamic" {
		return op.DynamicNTK(c.Builder, positions, len(r.InvFreq), r.Theta, r.factor, r.maxPositions)
	}
	return c.Constant(r.InvFreq, len(r.InvFreq))
}

// ropeConfig reads the older rope_theta with rope_scaling and the newer rope_parameters, which holds both.
type ropeConfig struct {
	RopeTheta           *float64       `json:"rope_theta"`
	RopeScaling         map[string]any `json:"rope_scaling"`
	RopeParameters      map[string]any `json:"rope_parameters"`
	PartialRotaryFactor *float64       `json:"partial_rotary_factor"`
	// OriginalMaxPositions stands beside rope_parameters in some files, and then counts.
	OriginalMaxPositions *float64 `json:"original_max_position_embeddings"`
}

// rope gives the rotation of heads of headDim in full.
func (j ropeConfig) rope(headDim, maxPositions int) (Rope, error) {
	settings := ropeSettings(j.RopeParameters)
	if len(j.RopeScaling) > 0 { // as transformers reads the older files, and files with both
		settings = j.RopeScaling
	}
	theta := 10000.0
	if j.RopeTheta != nil {
		theta = *j.RopeTheta
	}
	settings = settings.with("original_max_position_embeddings", j.OriginalMaxPositions)
	settings = settings.with("partial_rotary_factor", j.PartialRotaryFactor)
	return settings.rope(theta, headDim, maxPositions)
}

// ropeSettings are the members of rope_scaling or of rope_parameters.
type ropeSettings map[string]any

// with is s with a member that stood beside it, where it stood there.
func (s ropeSettings) with(name string, v *float64) ropeSettings {
	out := ropeSettings{}
	for k, x := range s {
		out[k] = x
	}
	if v != nil {
		out[name] = *v
	}
	return out
}

// number reads a member; wanted says whether it may be absent.
func (s ropeSettings) number(name string, wanted bool, absent float64) (float64, error) {
	switch v := s[name].(type) {
	case float64:
		return v, nil
	case nil:
		if wanted {
			return 0, fmt.Errorf("rope scaling %q needs %s", s.kind(), name)
		}
		return absent, nil
	default:
		return 0, fmt.Errorf("%s of the rope settings is %v; it must be a number", name, v)
	}
}

// kind is the type of the scaling under either of its names.
func (s ropeSettings) kind() string {
	for _, key := range []string{"rope_type", "type"} {
		if v := s[key]; v != nil {
			return fmt.Sprint(v)
		}
	}
	return "default"
}

// rope computes the frequencies as transformers' modeling_rope_utils does, in float32 where it rounds.
func (s ropeSettings) rope(theta float64, headDim, maxPositions int) (Rope, error) {
	theta, err := s.number("rope_theta", false, theta)
	if err != nil {
		return Rope{}, err
	}
	if !(theta > 1) || math.IsInf(theta, 0) {
		return Rope{}, fmt.Errorf("rope_theta is %v; it must be a number above 1", theta)
	}
	if headDim%2 != 0 {
		return Rope{}, fmt.Errorf("head_dim is %d; rotary positions need an even one", headDim)
	}
	if part, err := s.number("partial_rotary_factor", false, 1); err != nil || part != 1 {
		return Rope{}, fmt.Errorf("partial_rotary_factor is %v; this architecture turns whole heads", s["partial_rotary_factor"])
	}
	r := Rope{Theta: theta, Type: s.kind(), Shape: op.RopeShape{HeadDim: headDim}}
	for i := 0; i < headDim; i += 2 {
		r.InvFreq = append(r.InvFreq, 1/float32(math.Pow(theta, float64(i)/float64(headDim))))
	}
	if r.Type == "default" {
		return r, nil
	}
	factor, err := s.number("factor", r.Type == "linear" || r.Type == "llama3" || r.Type == "dynamic", 1)
	if err != nil {
		return Rope{}, err
	}
	if !(factor > 0) || math.IsInf(factor, 0) {
		return Rope{}, fmt.Errorf("factor of rope scaling %q is %v; it must be a number above 0", r.Type, factor)
	}
	switch r.Type {
	case "linear": // Chen et al., "Extending context window of large language models via positional interpolation"
		for i := range r.InvFreq {
			r.InvFreq[i] /= float32(factor)
		}
		return r, nil
	case "dynamic":
		if headDim < 4 || maxPositions < 1 || factor < 1 {
			return Rope{}, fmt.Errorf("rope scaling %q needs a head_dim of at least 4, max_position_embeddings and a factor of at least 1; they are %d, %d and %v", r.Type, headDim, maxPositions, factor)
		}
		r.factor, r.maxPositions = factor, maxPositions
		return r, nil
	case "llama3":
		return r, s.llama3(r.InvFreq, factor, maxPositions)
	}
	return Rope{}, fmt.Errorf("rope scaling %q is not supported; supported are default, linear, dynamic, llama3", r.Type)
}

// llama3 slows down the pairs that turn less than low_freq_factor times in the context that the model was first trained
// on, leaves those that turn more than high_freq_factor times, and goes from one to the other between them.
func (s ropeSettings) llama3(invFreq []float32, factor float64, maxPositions int) error {
	low, err := s.number("low_freq_factor", true, 0)
	if err != nil {
		return err
	}
	high, err := s.number("high_freq_factor", true, 0)
	if err != nil {
		return err
	}
	context, err := s.number("original_max_position_embeddings", false, float64(maxPositions))
	if err != nil {
		return err
	}
	if !(low > 0) || !(high > low) || !(context >= 1) || math.IsInf(high+context, 0) {
		return fmt.Errorf("rope scaling \"llama3\" has low_freq_factor %v, high_freq_factor %v and original_max_position_embeddings %v; wanted 0 < low < high and at least 1 position", low, high, context)
	}
	for i, f := range invFreq {
		wavelength := float32(2*math.Pi) / f // float32, as the comparison is in PyTorch
		switch {
		case wavelength > float32(context/low):
			invFreq[i] = f / float32(factor)
		case !(wavelength < float32(context/high)):
			smooth := (float32(context)/wavelength - float32(low)) / float32(high-low)
			invFreq[i] = (1-smooth)*f/float32(factor) + smooth*f
		}
	}
	return nil
}
