import CLibcurl
import Glibc

/// One request of one libcurl handle, which is freed in `deinit`. Blocks its thread.
final class RspamdExchange {
    /// Bytes of the longest answer that is one.
    private static let answerLimit = 1 << 20
    /// curl_global_init(3); libcurl counts its calls, one for each adapter of the process.
    private static let libraryStatus = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    private let handle: UnsafeMutableRawPointer
    private var failure: CURLcode?

    /// What the callback works on, on the thread inside `curl_easy_perform`.
    private final class Answer {
        var bytes: [UInt8] = []
        var isTooLong = false
    }

    init() throws(ScannerFailure) {
        guard Self.libraryStatus == CURLE_OK, let handle = curl_easy_init() else {
            throw ScannerFailure("libcurl could not be set up")
        }
        self.handle = handle
    }

    deinit { curl_easy_cleanup(handle) }

    /// The body of the answer to a request with that body.
    func post(
        _ body: [UInt8], to address: ScannerAddress, headers: [String], deadline: ContinuousClock.Instant
    ) throws(ScannerFailure) -> [UInt8] {
        let left = ContinuousClock.now.duration(to: deadline)
        guard left > .zero else { throw ScannerFailure("no answer in time") }
        let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
        var list: UnsafeMutablePointer<curl_slist>?
        for header in headers { list = curl_slist_append(list, header) ?? list }
        defer { curl_slist_free_all(list) }
        setConnection(address, milliseconds: max(1, Int(milliseconds)))
        note(postrider_curl_set_list(handle, CURLOPT_HTTPHEADER, list))
        let answer = Answer()
        note(
            postrider_curl_set_pointer(
                handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(answer).toOpaque()))
        note(postrider_curl_set_io(handle, CURLOPT_WRITEFUNCTION, Self.take))
        // A message has at least the empty line, so the pointer is one.
        let code = body.withUnsafeBytes { bytes -> CURLcode in
            note(postrider_curl_set_long(handle, CURLOPT_POST, 1))
            note(postrider_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
            note(
                postrider_curl_set_pointer(
                    handle, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress)))
            return failure ?? withExtendedLifetime(answer) { curl_easy_perform(handle) }
        }
        if answer.isTooLong {
            throw ScannerFailure("its answer is longer than \(Self.answerLimit) bytes", isTemporary: false)
        }
        guard code == CURLE_OK else { throw Self.failure(code) }
        var status = 0
        _ = postrider_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        guard status == 200 else {
            throw ScannerFailure("it answers with status \(status)", isTemporary: status >= 500 || status == 429)
        }
        return answer.bytes
    }

    private func setConnection(_ address: ScannerAddress, milliseconds: Int) {
        switch address {
        case .unix(let path):
            note(postrider_curl_set_string(handle, CURLOPT_UNIX_SOCKET_PATH, path))
            note(postrider_curl_set_string(handle, CURLOPT_URL, "http://localhost/checkv2"))
        case .tcp(let host, let port):
            let host = host.contains(":") ? "[\(host)]" : host
            note(postrider_curl_set_string(handle, CURLOPT_URL, "http://\(host):\(port)/checkv2"))
        }
        note(postrider_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http"))
        note(postrider_curl_set_string(handle, CURLOPT_PROXY, ""))
        note(postrider_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0))
        note(postrider_curl_set_long(handle, CURLOPT_NOSIGNAL, 1))
        note(postrider_curl_set_long(handle, CURLOPT_TIMEOUT_MS, milliseconds))
        note(postrider_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds))
        note(postrider_curl_set_long(handle, CURLOPT_QUICK_EXIT, 1))
    }

    private func note(_ code: CURLcode) {
        if code != CURLE_OK, failure == nil { failure = code }
    }

    private static func failure(_ code: CURLcode) -> ScannerFailure {
        switch code {
        case CURLE_OPERATION_TIMEDOUT: ScannerFailure("no answer in time")
        case CURLE_COULDNT_CONNECT: ScannerFailure("no connection")
        case CURLE_COULDNT_RESOLVE_HOST: ScannerFailure("its host name does not resolve")
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            ScannerFailure("it does not speak HTTP", isTemporary: false)
        default: ScannerFailure("the connection failed: \(String(cString: curl_easy_strerror(code)))")
        }
    }

    /// CURLOPT_WRITEFUNCTION(3).
    private static let take: postrider_curl_io = { bytes, size, count, context in
        guard let context else { return Int(CURL_WRITEFUNC_ERROR) }
        let answer = Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()  // borrow
        let length = size * count
        guard answer.bytes.count + length <= answerLimit else {
            answer.isTooLong = true
            return Int(CURL_WRITEFUNC_ERROR)
        }
        guard let bytes, length > 0 else { return length }
        answer.bytes += UnsafeRawBufferPointer(start: bytes, count: length)
        return length
    }
}
