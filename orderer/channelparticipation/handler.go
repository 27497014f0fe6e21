package channelparticipation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/types"
)

// FormDataConfigBlockKey is the name of the part with the join block.
const FormDataConfigBlockKey = "config-block"

// ChannelManagement is what the API does to channels: *multichannel.Registrar.
// URLs are left empty.
type ChannelManagement interface {
	// ChannelList lists the channels.
	ChannelList() types.ChannelList
	// ChannelInfo describes a channel; types.ErrChannelNotExist if there is none.
	ChannelInfo(channelID string) (types.ChannelInfo, error)
	// JoinChannel joins the channel whose config block is given.
	JoinChannel(channelID string, configBlock *cb.Block, isAppChannel bool) (types.ChannelInfo, error)
	// RemoveChannel removes a channel with everything that is stored for it.
	RemoveChannel(channelID string) error
}

// Options of a handler.
type Options struct {
	// Enabled is ChannelParticipation.Enabled; without it every request is
	// answered with 503.
	Enabled bool
	// MaxRequestBodySize is the size in bytes that a join request may have.
	MaxRequestBodySize uint32
	Channels           ChannelManagement
	Logger             *zap.SugaredLogger // "orderer.commmon.channelparticipation"
}

// Handler serves the API below URLBaseV1.
type Handler struct{ o Options }

// NewHandler returns a handler.
func NewHandler(o Options) *Handler { return &Handler{o} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.o.Enabled {
		h.write(w, r, refusal(http.StatusServiceUnavailable, errors.New("channel participation API is disabled")))
		return
	}
	op, channelID, refused := route(request{r.Method, r.URL.Path, r.Header.Get("Accept"), r.Header.Values("Content-Type")})
	switch {
	case refused != nil:
		h.write(w, r, refused)
	case op == redirect:
		http.Redirect(w, r, URLBaseV1Channels, http.StatusFound)
	case op == listAll:
		h.write(w, r, ofList(h.o.Channels.ChannelList()))
	case op == listOne:
		h.write(w, r, ofInfo(h.o.Channels.ChannelInfo(channelID)))
	case op == join:
		h.write(w, r, h.join(w, r))
	case op == remove:
		err := h.o.Channels.RemoveChannel(channelID)
		if err != nil {
			h.o.Logger.Warnf("Failed to remove channel %s: %s", channelID, err)
		}
		h.write(w, r, ofRemove(err))
	}
}

func (h *Handler) join(w http.ResponseWriter, r *http.Request) *answer {
	block, err := h.readJoinBlock(w, r)
	if err != nil {
		return refusal(http.StatusBadRequest, err)
	}
	channelID, isAppChannel, err := ValidateJoinBlock(block)
	if err != nil {
		return refusal(http.StatusBadRequest, fmt.Errorf("invalid join block: %w", err))
	}
	info, err := h.o.Channels.JoinChannel(channelID, block, isAppChannel)
	if err != nil {
		h.o.Logger.Warnf("Failed to join channel %s: %s", channelID, err)
	}
	return ofJoin(info, err)
}

// readJoinBlock reads the one file of a multipart form.
func (h *Handler) readJoinBlock(w http.ResponseWriter, r *http.Request) (*cb.Block, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("cannot parse Mime media type: %w", err)
	}
	limit := int64(h.o.MaxRequestBodySize)
	form, err := multipart.NewReader(http.MaxBytesReader(w, r.Body, limit), params["boundary"]).ReadForm(2 * limit)
	if err != nil {
		return nil, fmt.Errorf("cannot read form from request body: %w", err)
	}
	defer func() { _ = form.RemoveAll() }() // nothing of it is on disk
	files := form.File[FormDataConfigBlockKey]
	switch {
	case len(files) == 0:
		return nil, fmt.Errorf("form does not contains part key: %s", FormDataConfigBlockKey)
	case len(form.File) != 1 || len(form.Value) != 0:
		return nil, errors.New("form contains too many parts")
	}
	f, err := files[0].Open()
	if err != nil {
		return nil, fmt.Errorf("cannot open file part %s from request body: %w", FormDataConfigBlockKey, err)
	}
	defer func() { _ = f.Close() }() // it is in memory
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read file part %s from request body: %w", FormDataConfigBlockKey, err)
	}
	block := &cb.Block{} // whether it is whole is judged later
	if err := proto.Unmarshal(b, block); err != nil {
		return nil, fmt.Errorf("cannot unmarshal file part %s into a block: %w", FormDataConfigBlockKey, err)
	}
	if block.Metadata == nil {
		block.Metadata = &cb.BlockMetadata{}
	}
	return block, nil
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, a *answer) {
	if a.plain {
		http.NotFound(w, r)
		return
	}
	for name, value := range map[string]string{"Allow": a.allow, "Location": a.location} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	if a.noStore {
		w.Header().Set("Cache-Control", "no-store")
	}
	if a.body != nil {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.code)
	if a.body == nil {
		return
	}
	if err := json.NewEncoder(w).Encode(a.body); err != nil {
		h.o.Logger.Debugf("Client went away before its answer: %s", err)
	}
}
