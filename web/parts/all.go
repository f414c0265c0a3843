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

// Parts are all pieces of the page. The first Top of them are what its user sees when it opens, with the one button: these are drawn
// before the others then.
var Parts = []Part{
	{"hero", Hero}, {"bar", Bar},
	{"head", Head}, {"model", Model}, {"data", Data}, {"method", Method}, {"train", Train}, {"try", Ask}, {"save", Save}, {"runs", RunsOf},
	{"skip", Skip}, {"foot", Foot}, {"update-is", Update}, {"reload", Reload}, {"said", Said},
}

const Top = 2
