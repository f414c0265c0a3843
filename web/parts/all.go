package parts

import (
	"github.com/a-h/templ"

	"hone/web/words"
)

var stages = []struct {
	ID    string
	Title words.Text
}{
	{"model", words.StageModel}, {"data", words.StageData}, {"method", words.StageMethod}, {"train", words.StageTrain},
	{"try", words.StageTry}, {"save", words.StageSave}, {"runs", words.StageRuns},
}

// Part is a piece of the page that is drawn anew by itself: the component whose element has the ID.
type Part struct {
	ID   string
	Draw func(*State) templ.Component
}

// Parts are all pieces of the page.
var Parts = []Part{
	{"head", Head}, {"hero", Hero}, {"bar", Bar}, {"model", Model}, {"data", Data}, {"method", Method},
	{"train", Train}, {"try", Ask}, {"save", Save}, {"runs", RunsOf},
}
