package hub

import "strings"

// known is what a short name stands for on each hub; an empty id says that the hub does not have it.
type known struct {
	name, ms, hf string
	part         string // of a data set: the files that belong to the name
}

func (k known) on(hub string) string {
	if hub == HuggingFace {
		return k.hf
	}
	return k.ms
}

// knownModels are the model types of ms-swift 1 and 2 for the architectures that Hone has, and names that people type.
var knownModels = append(append([]known{
	{name: "chatglm3-6b", ms: "ZhipuAI/chatglm3-6b", hf: "THUDM/chatglm3-6b"},
	{name: "chatglm3-6b-base", ms: "ZhipuAI/chatglm3-6b-base", hf: "THUDM/chatglm3-6b-base"},
	{name: "chatglm3-6b-32k", ms: "ZhipuAI/chatglm3-6b-32k", hf: "THUDM/chatglm3-6b-32k"},
	{name: "chatglm3-6b-128k", ms: "ZhipuAI/chatglm3-6b-128k", hf: "THUDM/chatglm3-6b-128k"},
	{name: "llama2-7b", ms: "modelscope/Llama-2-7b-ms", hf: "meta-llama/Llama-2-7b-hf"},
	{name: "llama2-7b-chat", ms: "modelscope/Llama-2-7b-chat-ms", hf: "meta-llama/Llama-2-7b-chat-hf"},
	{name: "llama2-13b", ms: "modelscope/Llama-2-13b-ms", hf: "meta-llama/Llama-2-13b-hf"},
	{name: "llama2-13b-chat", ms: "modelscope/Llama-2-13b-chat-ms", hf: "meta-llama/Llama-2-13b-chat-hf"},
	{name: "llama3-8b", ms: "LLM-Research/Meta-Llama-3-8B", hf: "meta-llama/Meta-Llama-3-8B"},
	{name: "llama3-8b-instruct", ms: "LLM-Research/Meta-Llama-3-8B-Instruct", hf: "meta-llama/Meta-Llama-3-8B-Instruct"},
	{name: "llama3.1-8b", ms: "LLM-Research/Meta-Llama-3.1-8B", hf: "meta-llama/Meta-Llama-3.1-8B"},
	{name: "llama3.1-8b-instruct", ms: "LLM-Research/Meta-Llama-3.1-8B-Instruct", hf: "meta-llama/Meta-Llama-3.1-8B-Instruct"},
	{name: "llama3.2-1b", ms: "LLM-Research/Llama-3.2-1B", hf: "meta-llama/Llama-3.2-1B"},
	{name: "llama3.2-1b-instruct", ms: "LLM-Research/Llama-3.2-1B-Instruct", hf: "meta-llama/Llama-3.2-1B-Instruct"},
	{name: "llama3.2-3b", ms: "LLM-Research/Llama-3.2-3B", hf: "meta-llama/Llama-3.2-3B"},
	{name: "llama3.2-3b-instruct", ms: "LLM-Research/Llama-3.2-3B-Instruct", hf: "meta-llama/Llama-3.2-3B-Instruct"},
	{name: "tinyllama", ms: "AI-ModelScope/TinyLlama-1.1B-Chat-v1.0", hf: "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
	{name: "tinyllama-1.1b-chat", ms: "AI-ModelScope/TinyLlama-1.1B-Chat-v1.0", hf: "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
	{name: "smollm-135m", hf: "HuggingFaceTB/SmolLM-135M"},
	{name: "smollm-135m-instruct", hf: "HuggingFaceTB/SmolLM-135M-Instruct"},
	{name: "gpt2", ms: "AI-ModelScope/gpt2", hf: "openai-community/gpt2"},
	{name: "gpt2-medium", hf: "openai-community/gpt2-medium"},
	{name: "gpt2-large", hf: "openai-community/gpt2-large"},
	{name: "gpt2-xl", hf: "openai-community/gpt2-xl"},
	{name: "gemma-3-270m", ms: "LLM-Research/gemma-3-270m", hf: "google/gemma-3-270m"},
	{name: "gemma-3-270m-it", ms: "LLM-Research/gemma-3-270m-it", hf: "google/gemma-3-270m-it"},
	{name: "gemma-3-1b", ms: "LLM-Research/gemma-3-1b-pt", hf: "google/gemma-3-1b-pt"},
	{name: "gemma-3-1b-pt", ms: "LLM-Research/gemma-3-1b-pt", hf: "google/gemma-3-1b-pt"},
	{name: "gemma-3-1b-it", ms: "LLM-Research/gemma-3-1b-it", hf: "google/gemma-3-1b-it"},
	{name: "qwen2-0.5b", ms: "Qwen/Qwen2-0.5B", hf: "Qwen/Qwen2-0.5B"},
	{name: "qwen2-0.5b-instruct", ms: "Qwen/Qwen2-0.5B-Instruct", hf: "Qwen/Qwen2-0.5B-Instruct"},
	{name: "qwen2-1.5b", ms: "Qwen/Qwen2-1.5B", hf: "Qwen/Qwen2-1.5B"},
	{name: "qwen2-1.5b-instruct", ms: "Qwen/Qwen2-1.5B-Instruct", hf: "Qwen/Qwen2-1.5B-Instruct"},
	{name: "qwen2-7b", ms: "Qwen/Qwen2-7B", hf: "Qwen/Qwen2-7B"},
	{name: "qwen2-7b-instruct", ms: "Qwen/Qwen2-7B-Instruct", hf: "Qwen/Qwen2-7B-Instruct"},
}, family("Qwen/Qwen2.5-", "-Instruct", "0.5B", "1.5B", "3B", "7B", "14B")...),
	append(family("Qwen/Qwen3-", "-Base", "0.6B", "1.7B", "4B", "8B", "14B"),
		family("HuggingFaceTB/SmolLM2-", "-Instruct", "135M", "360M", "1.7B")...)...)

// family lists the sizes of a model that has the same ids on both hubs, plain and with a suffix.
func family(prefix, suffix string, sizes ...string) []known {
	var out []known
	for _, size := range sizes {
		for _, id := range []string{prefix + size, prefix + size + suffix} {
			_, name, _ := strings.Cut(id, "/")
			out = append(out, known{name: strings.ToLower(name), ms: id, hf: id})
		}
	}
	return out
}

// knownDatasets are names of ms-swift 2, and names that courses use for something that has another id.
var knownDatasets = []known{
	{name: "alpaca-zh", ms: "AI-ModelScope/alpaca-gpt4-data-zh", hf: "llm-wizard/alpaca-gpt4-data-zh"},
	{name: "alpaca-en", ms: "AI-ModelScope/alpaca-gpt4-data-en", hf: "vicgalle/alpaca-gpt4"},
	{name: "alpaca", ms: "AI-ModelScope/alpaca-gpt4-data-en", hf: "tatsu-lab/alpaca"},
	{name: "alpaca-cleaned", ms: "AI-ModelScope/alpaca-cleaned", hf: "yahma/alpaca-cleaned"},
	{name: "dolly", hf: "databricks/databricks-dolly-15k"},
	{name: "self-cognition", ms: "swift/self-cognition", hf: "modelscope/self-cognition"},
	{name: "shibing624/medical-QA-zh", hf: "shibing624/medical", part: "finetune/train_zh_*"},
	{name: "shibing624/medical", hf: "shibing624/medical", part: "finetune/train_zh_*"},
	{name: "medical-zh", ms: "huangjintao/medical_zh", hf: "shibing624/medical", part: "finetune/train_zh_*"},
	{name: "medical-en", ms: "huangjintao/medical_zh", hf: "shibing624/medical", part: "finetune/train_en_*"},
	{name: "disc-med-sft-zh", ms: "AI-ModelScope/DISC-Med-SFT", hf: "Flmc/DISC-Med-SFT"},
	{name: "disc-law-sft-zh", ms: "AI-ModelScope/DISC-Law-SFT", hf: "ShengbinYue/DISC-Law-SFT"},
	{name: "lawyer-llama-zh", ms: "AI-ModelScope/lawyer_llama_data", hf: "Skepsun/lawyer_llama_data"},
	{name: "school-math-zh", ms: "AI-ModelScope/school_math_0.25M", hf: "BelleGroup/school_math_0.25M"},
	{name: "code-alpaca-en", ms: "wyj123456/code_alpaca_en", hf: "sahil2801/CodeAlpaca-20k"},
	{name: "finance-en", ms: "wyj123456/finance_en", hf: "ssbuild/alpaca_finance_en"},
	{name: "instinwild", ms: "wyj123456/instinwild"},
	{name: "sharegpt-gpt4", ms: "AI-ModelScope/sharegpt_gpt4"},
}

// spelling makes the ways in which a name is written one: qwen2_5-0_5b of ms-swift and Qwen2.5-0.5B.
func spelling(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return '.'
		}
		return r
	}, strings.ToLower(s))
}

// lookup finds a short name, or the id that one of the hubs has for it.
func lookup(k kind, name string) (known, bool) {
	table, s := tableOf(k), spelling(name)
	for _, e := range table {
		if spelling(e.name) == s {
			return e, true
		}
	}
	for _, e := range table {
		if strings.EqualFold(e.ms, name) || strings.EqualFold(e.hf, name) {
			return e, true
		}
	}
	return known{}, false
}

func tableOf(k kind) []known {
	if k == datasets {
		return knownDatasets
	}
	return knownModels
}

// ModelTypes lists the short names of models.
func ModelTypes() []string {
	var out []string
	for _, e := range knownModels {
		out = append(out, e.name)
	}
	return out
}

// nearest is the known name that shares the longest beginning with a wrong one, if that is more than a guess.
func nearest(k kind, name string) string {
	best, length, s := "", 3, spelling(name)
	for _, e := range tableOf(k) {
		n, t := 0, spelling(e.name)
		for n < min(len(s), len(t)) && s[n] == t[n] {
			n++
		}
		if n > length || n == length && best != "" && len(e.name) < len(best) {
			best, length = e.name, n
		}
	}
	return best
}
