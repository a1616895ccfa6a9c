import JSONValue

/// Escaping, percent-encoding and Base64.
extension Renderer {
    func encodingFilter(_ filter: Filter, _ input: Value) throws(RenderingError) -> Value {
        if input.isNull { return .null }
        let text = try text(input)
        try spend(bytes: text.utf8.count)
        switch filter {
        case .raw: return options.escaping == .html ? .markup(text) : input
        case .escape, .h:
            if case .markup = input { return input }
            return try made(HTMLText.escaped(text), options.escaping == .html)
        case .escapeOnce:
            if case .markup = input { return input }
            return try made(HTMLText.escapedOnce(text), options.escaping == .html)
        case .urlEncode: return try made(TextEncoding.percentEncoded(text))
        case .urlDecode: return try decoded(TextEncoding.percentDecoded(text), "not valid UTF-8 when decoded")
        case .base64Encode: return try made(TextEncoding.base64(text, urlSafe: false))
        case .base64URLEncode: return try made(TextEncoding.base64(text, urlSafe: true))
        case .base64Decode: return try decoded(TextEncoding.base64Decoded(text, urlSafe: false), "not Base64")
        default: return try decoded(TextEncoding.base64Decoded(text, urlSafe: true), "not URL-safe Base64")
        }
    }

    private func decoded(_ text: String?, _ message: String) throws(RenderingError) -> Value {
        guard let text else { throw invalid("the text is \(message)") }
        return try made(text)
    }
}
