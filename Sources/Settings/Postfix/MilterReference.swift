/// One milter as `smtpd_milters` or `non_smtpd_milters` lists it.
struct MilterReference: Hashable, Sendable {
    enum Endpoint: Hashable, Sendable {
        /// As written; smtpd resolves it in the queue directory.
        case unix(String)
        case inet(host: String, port: String)
        case other(String)
    }

    /// As written, braces and settings included.
    let text: String
    let endpoint: Endpoint
    /// Settings inside the braces; absent ones come from the `milter_…` parameters.
    let settings: [String: String]
    /// Words inside the braces that are no setting, for example what blanks around `=` leave over.
    let strays: [String]

    /// The milters of an expanded list, in order.
    static func all(in list: String) -> [MilterReference] { PostfixText.list(list).map(MilterReference.init) }

    init(_ text: String) {
        self.text = text
        guard let inside = PostfixText.unbraced(text) else {
            endpoint = Self.endpoint(text)
            settings = [:]
            strays = []
            return
        }
        let items = PostfixText.list(inside)
        endpoint = Self.endpoint(items.first ?? "")
        var settings: [String: String] = [:]
        var strays: [String] = []
        for item in items.dropFirst() {
            // Blanks around `=` need braces of their own: { default_action = accept }.
            if let (name, value) = PostfixText.assignment(PostfixText.unbraced(item) ?? item) {
                settings[name] = value
            } else {
                strays.append(item)
            }
        }
        self.settings = settings
        self.strays = strays
    }

    /// The forms of MILTER_README: `unix:path`, `local:path`, `inet:host:port`.
    private static func endpoint(_ text: String) -> Endpoint {
        guard let colon = text.firstIndex(of: ":") else { return .other(text) }
        let rest = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "unix", "local": return .unix(rest)
        case "inet", "inet6":
            guard let split = rest.lastIndex(of: ":") else { return .other(text) }
            let host = rest[..<split].drop { $0 == "[" }.prefix { $0 != "]" }
            return .inet(host: host.lowercased(), port: String(rest[rest.index(after: split)...]))
        default: return .other(text)
        }
    }

    /// Whether it looks like rspamd: its proxy worker listens on 11332, and packagers name the socket after it.
    var looksLikeRspamd: Bool {
        if case .inet(_, "11332") = endpoint { return true }
        return text.contains("rspamd")
    }
}
