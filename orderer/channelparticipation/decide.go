package channelparticipation

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"raftmig/orderer/configtx"
	"raftmig/orderer/types"
)

// Paths of the API.
const (
	URLBaseV1         = "/participation/v1/"
	URLBaseV1Channels = URLBaseV1 + "channels"
)

// operation is what a request asks for.
type operation int

const (
	listAll operation = iota
	listOne
	join
	remove
	redirect // to the list
)

// answer is an HTTP response but for the connection.
type answer struct {
	code     int
	allow    string // header Allow
	location string // header Location
	noStore  bool
	body     any // to be encoded as JSON; nil for none
	plain    bool
}

func refusal(code int, err error) *answer {
	return &answer{code: code, body: types.ErrorResponse{Error: err.Error()}}
}

func notAllowed(err error, methods ...string) *answer {
	a := refusal(http.StatusMethodNotAllowed, err)
	a.allow = strings.Join(methods, ", ")
	return a
}

// notFound is the answer to a path that is none of the API's.
func notFound() *answer { return &answer{code: http.StatusNotFound, plain: true} }

// request is what is decided upon before a body is read.
type request struct {
	method, path, accept string
	contentTypes         []string
}

// route finds out what a request asks for and checks what can be checked
// without its body: a refusal is returned in place of an operation. channelID is
// set for listOne and remove.
func route(r request) (op operation, channelID string, refused *answer) {
	op, channelID, refused = match(r)
	if refused != nil || op == redirect {
		return op, channelID, refused
	}
	if !acceptsJSON(r.accept) {
		return op, "", refusal(http.StatusNotAcceptable, errors.New("response Content-Type is application/json only"))
	}
	if op == listOne || op == remove {
		if err := configtx.ValidateChannelID(channelID); err != nil {
			return op, "", refusal(http.StatusBadRequest, fmt.Errorf("invalid channel ID: %w", err))
		}
	}
	return op, channelID, nil
}

// match finds the operation of a method and a path.
func match(r request) (operation, string, *answer) {
	invalid := fmt.Errorf("invalid request method: %s", r.method)
	if r.path == URLBaseV1 {
		if r.method != http.MethodGet {
			return 0, "", &answer{code: http.StatusMethodNotAllowed}
		}
		return redirect, "", nil
	}
	if r.path == URLBaseV1Channels {
		switch r.method {
		case http.MethodGet:
			return listAll, "", nil
		case http.MethodPost:
			if !isMultipart(r.contentTypes) {
				return 0, "", refusal(http.StatusBadRequest, fmt.Errorf("unsupported Content-Type: %s", r.contentTypes))
			}
			return join, "", nil
		}
		return 0, "", notAllowed(invalid, http.MethodGet, http.MethodPost)
	}
	id, ok := strings.CutPrefix(r.path, URLBaseV1Channels+"/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return 0, "", notFound()
	}
	switch r.method {
	case http.MethodGet:
		return listOne, id, nil
	case http.MethodDelete:
		return remove, id, nil
	}
	return 0, "", notAllowed(invalid, http.MethodGet, http.MethodDelete)
}

func isMultipart(contentTypes []string) bool {
	for _, t := range contentTypes {
		if strings.Contains(t, "multipart/form-data") {
			return true
		}
	}
	return false
}

func acceptsJSON(accept string) bool {
	if accept == "" {
		return true
	}
	for _, kind := range []string{"application/json", "application/*", "*/*"} {
		if strings.Contains(accept, kind) {
			return true
		}
	}
	return false
}

func urlOf(channelID string) string { return path.Join(URLBaseV1Channels, channelID) }

func ofList(list types.ChannelList) *answer {
	if s := list.SystemChannel; s != nil {
		list.SystemChannel = &types.ChannelInfoShort{Name: s.Name, URL: urlOf(s.Name)}
	}
	channels := list.Channels
	list.Channels = nil
	for _, c := range channels {
		list.Channels = append(list.Channels, types.ChannelInfoShort{Name: c.Name, URL: urlOf(c.Name)})
	}
	return &answer{code: http.StatusOK, noStore: true, body: list}
}

func ofInfo(info types.ChannelInfo, err error) *answer {
	if err != nil {
		return refusal(http.StatusNotFound, err)
	}
	info.URL = urlOf(info.Name)
	return &answer{code: http.StatusOK, noStore: true, body: info}
}

func ofJoin(info types.ChannelInfo, err error) *answer {
	if err == nil {
		info.URL = urlOf(info.Name)
		return &answer{code: http.StatusCreated, location: info.URL, body: info}
	}
	text := fmt.Errorf("cannot join: %w", err)
	switch {
	case errors.Is(err, types.ErrSystemChannelExists):
		return notAllowed(text, http.MethodGet)
	case errors.Is(err, types.ErrChannelAlreadyExists):
		return notAllowed(text, http.MethodGet, http.MethodDelete)
	case errors.Is(err, types.ErrAppChannelsAlreadyExists):
		return refusal(http.StatusForbidden, text)
	case errors.Is(err, types.ErrChannelPendingRemoval):
		return refusal(http.StatusConflict, text)
	case errors.Is(err, types.ErrChannelRemovalFailure):
		return refusal(http.StatusInternalServerError, text)
	}
	return refusal(http.StatusBadRequest, text)
}

func ofRemove(err error) *answer {
	if err == nil {
		return &answer{code: http.StatusNoContent}
	}
	text := fmt.Errorf("cannot remove: %w", err)
	switch {
	case errors.Is(err, types.ErrSystemChannelExists):
		return notAllowed(text, http.MethodGet)
	case errors.Is(err, types.ErrChannelNotExist):
		return refusal(http.StatusNotFound, text)
	case errors.Is(err, types.ErrChannelPendingRemoval):
		return refusal(http.StatusConflict, text)
	}
	return refusal(http.StatusBadRequest, text)
}
