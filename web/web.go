// Package web is the page as a document. Its components are in package parts, what they show is decided in package studio, and
// its texts are in package words; assets has the style and the little JavaScript there is.
package web

import "hone/web/words"

//go:generate go tool templ generate

// Place is where a document stands.
type Place struct {
	Language string // en or zh
	Assets   string // address of the folder with the assets, relative to the document, with a slash at its end
	Models   bool   // whether its server gives out models
	Policy   string // content security policy to be written into the document; empty where the server sends it
}

func (p Place) language() words.Language { return words.Parse(p.Language) }
