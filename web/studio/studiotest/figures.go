package studiotest

import (
	"encoding/json"
	"math"
	"strings"

	"hone/core/recipe"
	"hone/core/wire"
)

// The models of the host.
var (
	tiny = wire.Model{Path: "models/tiny", Name: "tiny", Architecture: "LlamaForCausalLM", Parameters: 1_064_960, Layers: 5, HiddenSize: 128, Vocabulary: 1536, MaxPositions: 256,
		ByKind: map[string]int64{"feed forward": 614_400, "attention": 245_760, "embedding": 196_608, "norms": 8_192}, DTypes: map[string]int64{"BF16": 1_064_960}, Bytes: 2_130_000, Bundled: true}
	small = wire.Model{Path: "models/Example/Small-135M", Name: "Example/Small-135M", Architecture: "LlamaForCausalLM", Parameters: 134_515_008, Layers: 30, HiddenSize: 576, Vocabulary: 49_152, MaxPositions: 8192,
		ByKind: map[string]int64{"feed forward": 79_626_240, "attention": 26_542_080, "embedding": 28_311_552, "norms": 35_136}, DTypes: map[string]int64{"BF16": 134_515_008}, Bytes: 269_000_000}
)

// stepped is a step as it might come out: a curve that falls with a little noise.
func stepped(step, steps int, rate float64) wire.Stepped {
	x := float64(step)
	noise := 0.16*math.Sin(1.7*x) + 0.11*math.Sin(0.61*x+2) + 0.07*math.Sin(5.3*x)
	loss := 0.42 + 3.6*math.Exp(-x/22) + noise*(0.25+math.Exp(-x/60))
	warm := math.Min(1, x/6)
	return wire.Stepped{Step: step, Loss: loss, GradNorm: 0.5 + 2.4*math.Exp(-x/18) + math.Abs(noise), LearningRate: rate * warm * 0.5 * (1 + math.Cos(math.Pi*x/float64(steps))),
		Epoch: x / 74, Tokens: 262, TokensPerSecond: 8400 + 400*noise, Memory: 312_000_000, Elapsed: x / 9, Remaining: float64(steps-step) / 9}
}

func preview(rows int) wire.Preview {
	p := wire.Preview{Rows: wire.Rows{Read: 1178, Kept: 1178, Train: 1114, HeldOut: 64, Tokens: 39_412, Supervised: 11_240}, Template: "auto", Columns: []string{"instruction", "input", "output"},
		Lengths: wire.Histogram{Edges: []int{16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68}, Counts: []int{18, 61, 122, 190, 241, 207, 143, 88, 52, 31, 15, 7, 3}}}
	shown := []wire.Row{
		{File: "world.json", Row: 1, Tokens: 21, Supervised: 7, Stretches: []wire.Stretch{{Text: "<|user|>\nWhat sound does a dog make?\n<|assistant|>\n", Tokens: 14}, {Text: "A dog says woof.<|end|>", Tokens: 7, Learnt: true}}},
		{File: "world.json", Row: 2, Tokens: 19, Supervised: 6, Stretches: []wire.Stretch{{Text: "<|user|>\n三加四等于几？\n<|assistant|>\n", Tokens: 13}, {Text: "三加四等于七。<|end|>", Tokens: 6, Learnt: true}}},
		{File: "world.json", Row: 3, Tokens: 24, Supervised: 9, Stretches: []wire.Stretch{{Text: "<|user|>\nWhere does the fox sleep?\n<|assistant|>\n", Tokens: 15}, {Text: "The fox sleeps in the forest.<|end|>", Tokens: 9, Learnt: true}}},
		{File: "world.json", Row: 4, Tokens: 20, Supervised: 8, Stretches: []wire.Stretch{{Text: "<|user|>\n小猫喜欢吃什么？\n<|assistant|>\n", Tokens: 12}, {Text: "小猫喜欢吃鱼。<|end|>", Tokens: 8, Learnt: true}}},
		{File: "world.json", Row: 5, Tokens: 22, Supervised: 7, Stretches: []wire.Stretch{{Text: "<|user|>\nWhat is two plus six?\n<|assistant|>\n", Tokens: 15}, {Text: "Two plus six is eight.<|end|>", Tokens: 7, Learnt: true}}},
	}
	for i := range rows {
		r := shown[i%len(shown)]
		r.Row = i + 1
		p.Shown = append(p.Shown, r)
	}
	return p
}

func forecast(raw json.RawMessage) wire.Forecasted {
	r, err := recipe.FromJSON(raw)
	if err != nil {
		return wire.Forecasted{Refusal: err.Error()}
	}
	f := wire.Forecasted{Rows: preview(0).Rows, Budget: 2_000_000_000, Line: "hone sft --model models/tiny --dataset data/world.json --max_steps " + r.Text("max_steps") + " --learning_rate " + r.Text("learning_rate")}
	f.Plan = wire.Plan{Weights: 2_130_000, Adapters: 16_384 * int64(r.LoRARank), Gradients: 16_384 * int64(r.LoRARank), Moments: 32_768 * int64(r.LoRARank), Activations: 1_400_000 * int64(r.PerDeviceTrainBatchSize),
		Workspace: 3_000_000, Data: 400_000, Program: 60_000_000, Parameters: 1_064_960, Trainable: 4_096 * int64(r.LoRARank), Steps: max(r.MaxSteps, 1)}
	f.Total = f.Plan.Total()
	f.Seconds = float64(f.Plan.Steps) / 9
	if f.Total > f.Budget {
		f.Refusal = "the run needs 3.0 GB and there are 2.0 GB; a per_device_train_batch_size of 8 would fit"
	}
	return f
}

// reply is what base and tuned model say.
func reply(prompt string) (base, tuned string) {
	switch {
	case strings.Contains(prompt, "dog"):
		return " The dog runs to the river and the sun is", "A dog says woof."
	case strings.Contains(prompt, "狗"):
		return "小狗跑到河边，太阳", "狗汪汪叫。"
	case strings.ContainsAny(prompt, "三四"):
		return "个苹果放在桌子上，", "三加四等于七。"
	case strings.Contains(prompt, "plus"):
		return " birds sit on the tree and the wind", "Three plus four is seven."
	case strings.Contains(prompt, "weather") || strings.Contains(prompt, "天气"):
		return "好，我们去公园。", "好，适合出门走走。"
	case strings.Contains(prompt, "疼"):
		return "，她躺在床上看着窗外", "请多喝水，好好休息。如果两天后还疼，请去看医生。"
	}
	return " and then they went home because it was late.", "Drink some water and rest. If it still hurts after two days, see a doctor."
}

// tokens are what could come next, of base and tuned model.
var tokens = [2][]wire.Token{
	{{Text: "好", Probability: 0.41}, {Text: "冷", Probability: 0.19}, {Text: "热", Probability: 0.14}, {Text: " warm", Probability: 0.07}, {Text: "晴", Probability: 0.05}, {Text: "\n", Probability: 0.02}},
	{{Text: "好", Probability: 0.87}, {Text: "晴", Probability: 0.06}, {Text: "冷", Probability: 0.03}, {Text: "热", Probability: 0.02}, {Text: " warm", Probability: 0.004}, {Text: "\n", Probability: 0.001}},
}
