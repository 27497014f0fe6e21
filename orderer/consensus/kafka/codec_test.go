package kafka

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

func TestVectors(t *testing.T) {
	long := bytes.Repeat([]byte{'P'}, 300)
	for _, tc := range []struct {
		name string
		hex  string
		msg  Message
	}{
		{"CONNECT", "1a00", Connect{}},
		{"TIMETOCUT 5", "12020805", TimeToCut{5}},
		{"TIMETOCUT 0", "1200", TimeToCut{}},
		{"REGULAR NORMAL, never resubmitted", "0a07" + "0a0150" + "1003" + "1801", Regular{Payload: []byte("P"), ConfigSeq: 3, Class: ClassNormal}},
		{"REGULAR CONFIG resubmission of offset 17", "0a09" + "0a0150" + "1004" + "1802" + "2011",
			Regular{Payload: []byte("P"), ConfigSeq: 4, Class: ClassConfig, OriginalOffset: 17}},
		{"REGULAR with lengths of two bytes", "0ab302" + "0aac02" + hex.EncodeToString(long) + "1003" + "1801",
			Regular{Payload: long, ConfigSeq: 3, Class: ClassNormal}},
		{"REGULAR of an orderer before 1.1", "0a03" + "0a0150", Regular{Payload: []byte("P")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.hex, hex.EncodeToString(tc.msg.Marshal()))
			got, err := ParseMessage(tc.msg.Marshal())
			require.NoError(t, err)
			require.Equal(t, tc.msg, got)
		})
	}
	for _, tc := range []struct {
		hex string
		md  Metadata
	}{
		{"0805", Metadata{5, 0, 0}},
		{"", Metadata{}},
		{"08ac02" + "1011" + "1812", Metadata{300, 17, 18}},
		{"08fdffffffffffffffff01", Metadata{LastOffsetPersisted: -3}},
	} {
		require.Equal(t, tc.hex, hex.EncodeToString(tc.md.Marshal()))
		got, err := ParseMetadata(tc.md.Marshal())
		require.NoError(t, err)
		require.Equal(t, tc.md, got)
	}
}

func TestDecodingIsLenientWhereProtobufIs(t *testing.T) {
	for name, tc := range map[string]struct {
		hex  string
		want Message
	}{
		"empty":                                {"", nil},
		"an unknown field only":                {"2801", nil},
		"an unknown field beside":              {"2801" + "12020805", TimeToCut{5}},
		"an unknown field within":              {"1204" + "0805" + "1009", TimeToCut{5}},
		"a field of another wire type":         {"0801" + "1a00", Connect{}},
		"a group":                              {"0b0801" + "0c" + "1a00", Connect{}},
		"the last of two messages counts":      {"12020805" + "1a00", Connect{}},
		"a message in two parts":               {"0a03" + "0a0150" + "0a021803", Regular{Payload: []byte("P"), Class: 3}},
		"a class that does not exist":          {"0a02" + "1809", Regular{Class: 9}},
		"a payload that is empty but there":    {"0a02" + "0a00", Regular{Payload: []byte{}}},
		"an inner field of another wire type":  {"0a05" + "0801" + "0a0150", Regular{Payload: []byte("P")}},
		"a negative original offset":           {"0a0b" + "20ffffffffffffffffff01", Regular{OriginalOffset: -1}},
		"a class that overflows 32 bits wraps": {"0a06" + "188180808010", Regular{Class: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(tc.hex)
			require.NoError(t, err)
			got, err := ParseMessage(b)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	for _, bad := range []string{"0a", "0a05", "ff", "0a0108", "1201ff", "0c", "0a020a05"} {
		b, err := hex.DecodeString(bad)
		require.NoError(t, err)
		_, err = ParseMessage(b)
		require.Error(t, err, bad)
	}
	_, err := ParseMetadata([]byte{0x08})
	require.Error(t, err)
}

// kafkaProto is kafka.proto as a descriptor, so that the protobuf library
// itself can be the judge of codec.go.
func kafkaProto(t testing.TB) (message, metadata protoreflect.MessageDescriptor) {
	field := func(name string, n int32, typ descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: proto.String(name), Number: proto.Int32(n), Type: typ.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	of := func(f *descriptorpb.FieldDescriptorProto, typeName string, oneof bool) *descriptorpb.FieldDescriptorProto {
		f.TypeName = proto.String(typeName)
		if oneof {
			f.OneofIndex = proto.Int32(0)
		}
		return f
	}
	const (
		typeBytes   = descriptorpb.FieldDescriptorProto_TYPE_BYTES
		typeUint64  = descriptorpb.FieldDescriptorProto_TYPE_UINT64
		typeInt64   = descriptorpb.FieldDescriptorProto_TYPE_INT64
		typeEnum    = descriptorpb.FieldDescriptorProto_TYPE_ENUM
		typeMessage = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("kafka.proto"), Package: proto.String("orderer"), Syntax: proto.String("proto3"),
		EnumType: []*descriptorpb.EnumDescriptorProto{{
			Name: proto.String("Class"),
			Value: []*descriptorpb.EnumValueDescriptorProto{
				{Name: proto.String("UNKNOWN"), Number: proto.Int32(0)},
				{Name: proto.String("NORMAL"), Number: proto.Int32(1)},
				{Name: proto.String("CONFIG"), Number: proto.Int32(2)},
			},
		}},
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("Regular"), Field: []*descriptorpb.FieldDescriptorProto{
				field("payload", 1, typeBytes), field("config_seq", 2, typeUint64),
				of(field("class", 3, typeEnum), ".orderer.Class", false), field("original_offset", 4, typeInt64),
			}},
			{Name: proto.String("TimeToCut"), Field: []*descriptorpb.FieldDescriptorProto{field("block_number", 1, typeUint64)}},
			{Name: proto.String("Connect"), Field: []*descriptorpb.FieldDescriptorProto{field("payload", 1, typeBytes)}},
			{
				Name:      proto.String("KafkaMessage"),
				OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("Type")}},
				Field: []*descriptorpb.FieldDescriptorProto{
					of(field("regular", 1, typeMessage), ".orderer.Regular", true),
					of(field("time_to_cut", 2, typeMessage), ".orderer.TimeToCut", true),
					of(field("connect", 3, typeMessage), ".orderer.Connect", true),
				},
			},
			{Name: proto.String("KafkaMetadata"), Field: []*descriptorpb.FieldDescriptorProto{
				field("last_offset_persisted", 1, typeInt64), field("last_original_offset_processed", 2, typeInt64),
				field("last_resubmitted_config_offset", 3, typeInt64),
			}},
		},
	}, nil)
	require.NoError(t, err)
	return fd.Messages().ByName("KafkaMessage"), fd.Messages().ByName("KafkaMetadata")
}

// judged decodes a record's value with the protobuf library.
func judged(b []byte, desc protoreflect.MessageDescriptor) (Message, error) {
	m := dynamicpb.NewMessage(desc)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, err
	}
	set := m.WhichOneof(desc.Oneofs().Get(0))
	if set == nil {
		return nil, nil
	}
	inner := m.Get(set).Message()
	get := func(name protoreflect.Name) protoreflect.Value {
		return inner.Get(inner.Descriptor().Fields().ByName(name))
	}
	switch set.Name() {
	case "regular":
		return Regular{
			Payload: get("payload").Bytes(), ConfigSeq: get("config_seq").Uint(),
			Class: Class(get("class").Enum()), OriginalOffset: get("original_offset").Int(),
		}, nil
	case "time_to_cut":
		return TimeToCut{get("block_number").Uint()}, nil
	}
	return Connect{get("payload").Bytes()}, nil
}

// agree fails unless both decoders say the same of b. Fields nested deeper than
// the library's limit are of no interest.
func agree(t require.TestingT, b []byte, desc protoreflect.MessageDescriptor) {
	want, wantErr := judged(b, desc)
	got, err := ParseMessage(b)
	require.Equal(t, wantErr == nil, err == nil, "%x: %v, %v", b, wantErr, err)
	if err == nil {
		require.Equal(t, encodingOf(want), encodingOf(got), "%x", b)
		require.IsType(t, want, got)
	}
}

func encodingOf(m Message) string {
	if m == nil {
		return "nothing"
	}
	return hex.EncodeToString(m.Marshal())
}

func TestCodecAgreesWithProtobuf(t *testing.T) {
	message, metadata := kafkaProto(t)
	rapid.Check(t, func(rt *rapid.T) {
		var b []byte
		for range rapid.IntRange(0, 3).Draw(rt, "fields") {
			var inner []byte
			for range rapid.IntRange(0, 4).Draw(rt, "inner") {
				inner = appendAny(rt, inner)
			}
			if rapid.Bool().Draw(rt, "message") {
				b = protowire.AppendTag(b, protowire.Number(rapid.IntRange(1, 4).Draw(rt, "num")), protowire.BytesType)
				b = protowire.AppendBytes(b, inner)
			} else {
				b = append(b, inner...)
			}
		}
		b = b[:len(b)-rapid.IntRange(0, min(1, len(b))).Draw(rt, "cut")]
		agree(rt, b, message)

		m := dynamicpb.NewMessage(metadata)
		got, err := ParseMetadata(b)
		require.Equal(rt, proto.Unmarshal(b, m) == nil, err == nil)
		if err == nil {
			for i, v := range []int64{got.LastOffsetPersisted, got.LastOriginalOffsetProcessed, got.LastResubmittedConfigOffset} {
				require.Equal(rt, m.Get(metadata.Fields().ByNumber(protowire.Number(i+1))).Int(), v)
			}
		}
	})
}

func appendAny(rt *rapid.T, b []byte) []byte {
	num := protowire.Number(rapid.IntRange(1, 6).Draw(rt, "num"))
	switch rapid.IntRange(0, 3).Draw(rt, "type") {
	case 0:
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), rapid.Uint64().Draw(rt, "varint"))
	case 1:
		return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(rt, "bytes"))
	case 2:
		return protowire.AppendFixed32(protowire.AppendTag(b, num, protowire.Fixed32Type), 7)
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, num, protowire.Fixed64Type), 7)
}

func FuzzParseMessage(f *testing.F) {
	message, _ := kafkaProto(f)
	for _, m := range []Message{Connect{}, TimeToCut{5}, Regular{Payload: []byte("P"), ConfigSeq: 3, Class: ClassNormal, OriginalOffset: 1 << 40}} {
		f.Add(m.Marshal())
	}
	f.Add([]byte{0x0b, 0x0b, 0x0c, 0x0c})
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b, message) })
}
