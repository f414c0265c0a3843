// Package web is the page as a document. Its components are in package parts, what they show is decided in package studio, and
// its texts are in package words; assets has the style and the little JavaScript there is.
package web

import (
	"encoding/json"

	"hone/web/words"
)

//go:generate go tool templ generate

// Place is where a document stands.
type Place struct {
	Language string            // en or zh
	Assets   string            // address of the folder with the assets, relative to the document, with a slash at its end
	Models   bool              // whether its server gives out models
	Mirrors  map[string]string // addresses of hubs that are asked in the place of the well-known ones, by HF_ENDPOINT and MODELSCOPE_ENDPOINT
	Policy   string            // content security policy to be written into the document; empty where the server sends it
}

// mirrors is the JSON of Mirrors.
func (p Place) mirrors() string {
	raw, _ := json.Marshal(p.Mirrors) // plain texts
	return string(raw)
}

func (p Place) language() words.Language { return words.Parse(p.Language) }
