/// Where a scanner listens.
package enum ScannerAddress: Hashable, Sendable {
    /// The path of a Unix socket.
    case unix(String)
    case tcp(host: String, port: Int)

    /// Reads a path, or `host:port` (`[::1]:783` for IPv6); nil for anything else.
    package init?(_ text: String) {
        if text.hasPrefix("/") {
            self = .unix(text)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
        guard !host.isEmpty else { return nil }
        self = .tcp(host: host, port: Int(port))
    }
}
