package peft

import (
	"fmt"
	"math"
	"strings"

	"hone/core/ir"
	"hone/core/nn"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

// LoRA adds s·B·(A·x) to the output of linear layers: A [rank, in], B [out, rank], s = alpha/rank, or alpha/sqrt(rank)
// with RSLoRA (Hu et al., "LoRA: low-rank adaptation of large language models", eq. 3; Kalajdzievski, "A rank
// stabilization scaling factor for fine-tuning with LoRA"). QLoRA is the same on an NF4 base.
type LoRA struct {
	nn.NoTuner
	Rank    int
	Alpha   float64
	RSLoRA  bool
	Dropout float64 // of the input of A, when training
	Seed    uint64  // of the first values of A

	modules []string       // attached to, in the model's order
	index   map[string]int // place in modules
	sizes   [][2]int       // in, out of each
	ranks   []int          // of each, where they differ; nil: Rank
	alphas  []float64      // of each, where they differ; nil: Alpha
	turned  bool           // the checkpoint holds the weight of one as [in, out]
}

// NewLoRA attaches to the linear layers of the model whose name is, or ends in, one of targets; "all-linear" and "ALL"
// are all of them. A target that fits no layer is an error with the names that there are.
func NewLoRA(model nn.Model, rank int, alpha float64, targets []string) (*LoRA, error) {
	l := &LoRA{Rank: rank, Alpha: alpha, index: map[string]int{}}
	used := make([]bool, len(targets))
	for _, p := range model.Params() {
		if p.Module == "" || !strings.HasSuffix(p.Name, ".weight") {
			continue
		}
		for i, t := range targets {
			if isAll(t) || p.Module == t || strings.HasSuffix(p.Module, "."+t) {
				used[i], l.turned = true, l.turned || p.FanInFanOut
				if _, twice := l.index[p.Module]; !twice {
					l.index[p.Module] = len(l.modules)
					l.modules = append(l.modules, p.Module)
					l.sizes = append(l.sizes, [2]int{p.Shape[1], p.Shape[0]})
				}
			}
		}
	}
	for i, t := range targets {
		if !used[i] {
			return nil, fmt.Errorf("lora_target_modules: no linear layer of this model is named %q; there are %s", t, strings.Join(Targets(model, nil), ", "))
		}
	}
	if len(l.modules) == 0 {
		return nil, fmt.Errorf("lora_target_modules is empty; name layers or say all-linear")
	}
	return l, nil
}

func isAll(target string) bool { return target == "all-linear" || target == "ALL" }

// Targets resolves targets to the short names of linear layers (q_proj, …), in the model's order; nil is all.
func Targets(model nn.Model, targets []string) []string {
	all := len(targets) == 0
	for _, t := range targets {
		all = all || isAll(t)
	}
	if !all {
		return targets
	}
	var names []string
	seen := map[string]bool{}
	for _, p := range model.Params() {
		short := p.Module[strings.LastIndex(p.Module, ".")+1:]
		if p.Module != "" && !seen[short] {
			seen[short] = true
			names = append(names, short)
		}
	}
	return names
}

// Vary gives every module a rank and an alpha of its own (rank_pattern and alpha_pattern of PEFT).
func (l *LoRA) Vary(rank func(module string) int, alpha func(module string) float64) {
	l.ranks, l.alphas = nil, nil
	for _, m := range l.modules {
		l.ranks, l.alphas = append(l.ranks, rank(m)), append(l.alphas, alpha(m))
	}
}

// Scale is the factor of the adapter's output, where modules do not vary.
func (l *LoRA) Scale() float64 { return l.scale(l.Rank, l.Alpha) }

func (l *LoRA) scale(rank int, alpha float64) float64 {
	if l.RSLoRA {
		return alpha / math.Sqrt(float64(rank))
	}
	return alpha / float64(rank)
}

// of gives the rank and the alpha of module i.
func (l *LoRA) of(i int) (rank int, alpha float64) {
	if l.ranks == nil {
		return l.Rank, l.Alpha
	}
	return l.ranks[i], l.alphas[i]
}

// FanInFanOut is what PEFT wants to know of layers whose weights the checkpoint holds as [in, out], GPT-2's Conv1D. A and B
// keep their shapes.
func (l *LoRA) FanInFanOut() bool { return l.turned }

// Params are A and B of every layer, named as PEFT names them.
func (l *LoRA) Params() []Param {
	var list []Param
	for i, m := range l.modules {
		in, out := l.sizes[i][0], l.sizes[i][1]
		rank, _ := l.of(i)
		list = append(list,
			Param{Name: loraName(m, "A"), Shape: tensor.Shape{rank, in}, Init: l.initA(i, in)},
			Param{Name: loraName(m, "B"), Shape: tensor.Shape{out, rank}, Init: func(dst []float32) { clear(dst) }})
	}
	return list
}

func loraName(module, which string) string {
	return "base_model.model." + module + ".lora_" + which + ".weight"
}

// initA is kaiming_uniform with a = sqrt(5), as PEFT: uniform in ±1/sqrt(in).
func (l *LoRA) initA(module, in int) func([]float32) {
	return func(dst []float32) {
		key := rng.NewKey(l.Seed, rng.Init, uint64(module))
		bound := 1 / math.Sqrt(float64(in))
		for i := range dst {
			dst[i] = float32((2*float64(key.Uniform(uint64(i))) - 1) * bound)
		}
	}
}

// Linear adds the adapter of the layer, where it has one.
func (l *LoRA) Linear(c *nn.Context, module string, x, y ir.Value) ir.Value {
	i, ok := l.index[module]
	if !ok {
		return y
	}
	b := c.Builder
	if l.Dropout > 0 && c.DropoutKey != ir.None {
		x = op.Dropout(b, x, c.DropoutKey, l.Dropout, i)
	}
	rank, alpha := l.of(i)
	down := c.State(c.Prefix+loraName(module, "A"), tensor.Of(tensor.F32, rank, l.sizes[i][0]))
	up := c.State(c.Prefix+loraName(module, "B"), tensor.Of(tensor.F32, l.sizes[i][1], rank))
	return op.MatMul(b, op.Linear(b, x, down), up, y, op.Orientation{B: true}, l.scale(rank, alpha))
}

// Adapted gives the rank and the scale of a module's adapter; false for a module without one.
func (l *LoRA) Adapted(module string) (rank int, scale float64, ok bool) {
	i, ok := l.index[module]
	if !ok {
		return 0, 0, false
	}
	rank, alpha := l.of(i)
	return rank, l.scale(rank, alpha), true
}

// Names are the parameters of a module's adapter, A [rank, in] and B [out, rank].
func Names(module string) (a, b string) { return loraName(module, "A"), loraName(module, "B") }
