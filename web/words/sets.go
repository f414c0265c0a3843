package words

// Set describes a bundled set of rows.
type Set struct{ Title, About Text }

// Sets are the bundled ones, by the name of their file.
var Sets = map[string]Set{
	"world.json":     {Text{"Questions about a small world", "关于小世界的问题"}, Text{"People, animals, weather, counting, in English and Chinese", "人物、动物、天气、数数，中英双语"}},
	"sentiment.json": {Text{"How does it feel?", "情感判断"}, Text{"Sentences that are glad or sad", "判断句子是高兴还是难过"}},
	"doctor.json":    {Text{"Simple advice of a doctor", "医生的简单建议"}, Text{"Symptoms and what helps, for practice only", "症状与建议，仅供练习"}},
}
