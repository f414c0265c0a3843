package hub

import "fmt"

// InPage says that who reads what this package advises has a page with fields, and neither a command line nor folders to put files into.
// A program sets it at its start.
var InPage bool

// either is advice for who has a command line or for who has a page.
func either(commandLine, page string) string {
	if InPage {
		return page
	}
	return commandLine
}

// tokenAdvice says where a token comes from.
func tokenAdvice(hub string) string {
	if hub == ModelScope {
		return either("set MODELSCOPE_API_TOKEN to a token of your account", "give a token of your account, under “A mirror, or a token”")
	}
	return either("set HF_TOKEN to a token of your account, or log in with `huggingface-cli login`, which leaves one in ~/.cache/huggingface/token",
		"give a token of your account, under “A mirror, or a token”")
}

func giveRows() string { return either("give --dataset FILE", "drop the file on this page") }

// lookOn says how another hub is asked.
func lookOn(hub string) string {
	return "look on " + hubNames[hub] + either(" with --hub "+hub, ", under “Where from”")
}

// byHand tells how to get along without the hub.
func (e *environment) byHand(k kind, refs []reference) string {
	r := refs[0]
	command := ""
	for _, q := range refs {
		repo := "--model "
		if k == datasets {
			repo = "--dataset "
		}
		switch {
		case q.hub == ModelScope && command == "":
			command = "modelscope download " + repo + q.id + " --local_dir DIR"
		case q.hub == HuggingFace && command == "":
			if repo = ""; k == datasets {
				repo = "--repo-type dataset "
			}
			command = "huggingface-cli download " + repo + q.id + " --local-dir DIR"
		}
	}
	what := "config.json, *.safetensors and the tokenizer's files"
	switch k {
	case adapters:
		what = "adapter_config.json and adapter_model.safetensors"
	case datasets:
		what = "its files with rows"
	}
	if InPage && k == datasets {
		return "drop " + what + " on this page"
	}
	if InPage {
		return "drop its folder on this page, with " + what
	}
	text := fmt.Sprintf("put %s into %s", what, e.handDir(k, r.id))
	if command != "" {
		text += fmt.Sprintf(" (`%s` downloads them where there is a network)", command)
	}
	flag := map[kind]string{models: "--model", adapters: "--adapter", datasets: "--dataset"}[k]
	return text + ", or into any directory that " + flag + " then names"
}
