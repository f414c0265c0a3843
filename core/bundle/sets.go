package bundle

import (
	"path/filepath"

	"hone/core/bundle/world"
)

// Set is a file of rows to tune on, one task in both languages.
type Set struct {
	Name    string // the task, as world.Question names it
	File    string // in FS, and below the directory of WriteTo
	Rows    int
	Title   map[world.Language]string
	About   map[world.Language]string // one line
	Example map[world.Language]string // a prompt that is held out
}

// Sets are what comes with the model. One run over all of them teaches all three tasks.
var Sets = []Set{
	{
		Name: "world", File: "world.json", Rows: 1172,
		Title: map[world.Language]string{world.English: "Questions about a small world", world.Chinese: "小世界问答"},
		About: map[world.Language]string{
			world.English: "Who lives where, what the weather is like, how much is three and two: the model has read it and learns to answer.",
			world.Chinese: "谁住在哪里，天气怎么样，三个加两个是几个：这些模型都读过，现在学着回答。",
		},
		Example: map[world.Language]string{world.English: "Where does Lily live?", world.Chinese: "球球住在哪里？"},
	},
	{
		Name: "sentiment", File: "sentiment.json", Rows: 640,
		Title: map[world.Language]string{world.English: "Positive or negative?", world.Chinese: "情感判断"},
		About: map[world.Language]string{
			world.English: "A sentence about food, films, houses or people; the answer is one word.",
			world.Chinese: "一句关于食物、作品、地方或人的评价，用一个词回答。",
		},
		Example: map[world.Language]string{world.English: "Is this positive or negative?\n\nThe soup is delicious.", world.Chinese: "这句话是正面的还是负面的？\n\n这碗汤很好吃。"},
	},
	{
		Name: "doctor", File: "doctor.json", Rows: 704,
		Title: map[world.Language]string{world.English: "A doctor's advice", world.Chinese: "医生的建议"},
		About: map[world.Language]string{
			world.English: "One or two complaints, answered in a doctor's tone. It is a toy and no medical advice.",
			world.Chinese: "说出一两种不舒服，用医生的口吻回答。仅作演示，不是医疗建议。",
		},
		Example: map[world.Language]string{world.English: "Doctor, I have a fever. What should I do?", world.Chinese: "医生，我发烧，我该怎么办？"},
	},
}

// SetFiles are the paths of all sets where WriteTo has written them.
func SetFiles(dir string) []string {
	var list []string
	for _, s := range Sets {
		list = append(list, filepath.Join(dir, s.File))
	}
	return list
}

// Openings are beginnings of sentences that show what the base finds probable next.
var Openings = map[world.Language]string{world.English: "The weather today is very", world.Chinese: "今天天气很"}

// AnswerTokens is room enough for every answer to a question of the sets.
const AnswerTokens = 64
