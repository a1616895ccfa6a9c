import CGMime

/// GMime's process-wide state: made once, before the first use, and kept.
///
/// GMime itself must be initialized. The parser options are made here and only read afterwards. One converter for each
/// usual charset stays open and unused: glibc unloads a charset's module with its last converter and loads it again with
/// the next, which costs six times the conversion of a usual mail.
enum GMimeRuntime {
    /// What every decoding call takes; touching it starts GMime.
    static var options: OpaquePointer? { state.options }

    private static let state = State()

    // Unchecked: written in the initializer of a global constant, which runs once; GMime only reads it afterwards.
    private struct State: @unchecked Sendable {
        let options: OpaquePointer?
        let converters: [iconv_t?]

        init() {
            g_mime_init()
            options = g_mime_parser_options_new()
            State.setFallbackCharsets(options)
            converters = CharsetDecoder.usualCharsets.map { iconv_open("UTF-8", $0) }
        }

        /// Bytes of unknown charset in a header: UTF-8 where it is, otherwise what Windows programs send.
        private static func setFallbackCharsets(_ options: OpaquePointer?) {
            "utf-8".withCString { first in
                "windows-1252".withCString { second in
                    var names: [UnsafePointer<CChar>?] = [first, second, nil]
                    g_mime_parser_options_set_fallback_charsets(options, &names)
                }
            }
        }
    }
}
