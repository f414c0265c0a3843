package studio

import (
	"slices"
	"testing"

	"hone/core/wire"
	"hone/web/words"
)

// While a run on somebody's own rows goes on, its model is asked what these rows ask, those in the page's language first; then what the
// user sets, and nothing where that is empty.
func TestQuestionsOfTheRows(t *testing.T) {
	b := open(t, "en")
	b.ready()
	look := b.host.reply["look"]
	b.host.set("look", func(r wire.Request) (any, error) {
		if r.(wire.Look).Questions == 0 {
			return look(r)
		}
		return wire.Preview{Questions: []string{"Wo ist er?", "他在哪里？", "Where is she?", "Who?", "What?"}}, nil
	})
	b.do("use_data", "use", "data/world.json", "checked", "false")
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.do("start")
	const id = "tiny/v2-20260103-000000"
	b.until("start", func() bool { _, ok := last[wire.Start](b.host); return ok })
	asked := func(want ...string) {
		t.Helper()
		b.has("the answers", func(t *Studio) bool {
			var got []string
			for _, a := range t.s.Run.Answers {
				got = append(got, a.Prompt)
			}
			return slices.Equal(got, want) && !t.asking
		})
	}
	b.Told(event(id, 1, wire.Started{TotalSteps: 300}))
	b.Told(event(id, 2, wire.Stepped{Step: 25, Loss: 3}))
	asked("Wo ist er?", "Where is she?", "Who?")
	b.sees("train", ">Where is she?</textarea>")
	b.sees("try", `data-v-prompt="Where is she?"`)
	b.do("watch", "prompt", " Mine? ", "prompt", "", "prompt", "")
	asked("Mine?")
	b.do("watch", "prompt", "", "prompt", "")
	asked()
	b.Told(event(id, 3, wire.Stepped{Step: 50, Loss: 2}))
	b.has("that it was time to ask", func(t *Studio) bool { return t.asked == 50 && !t.asking })
	asked()
	b.do("watch_rows")
	asked("Wo ist er?", "Where is she?", "Who?")
}

// The small world has its own questions, in the page's language.
func TestQuestionsOfTheWorld(t *testing.T) {
	b := open(t, "zh")
	b.ready()
	b.do("train_now")
	b.until("start", func() bool { _, ok := last[wire.Start](b.host); return ok })
	b.Told(event("tiny/v2-20260103-000000", 1, wire.Started{TotalSteps: 300}))
	b.Told(event("tiny/v2-20260103-000000", 2, wire.Stepped{Step: 25, Loss: 3}))
	b.has("its questions", func(t *Studio) bool {
		return len(t.s.Run.Questions) == 3 && t.s.Run.Questions[0] == words.Examples[0].In(words.Chinese)
	})
}
