import CLibcurl

/// Sets options of one handle and remembers the first that libcurl refused.
struct OptionSetter {
    let handle: UnsafeMutableRawPointer
    private(set) var failure: CURLcode?

    init(handle: UnsafeMutableRawPointer) { self.handle = handle }

    mutating func set(_ option: CURLoption, _ value: Int) {
        note(postrider_curl_set_long(handle, option, value))
    }

    /// libcurl copies the text.
    mutating func set(_ option: CURLoption, _ value: String) {
        note(postrider_curl_set_string(handle, option, value))
    }

    /// Takes back a text that libcurl has set by itself.
    mutating func clear(_ option: CURLoption) { note(postrider_curl_set_string(handle, option, nil)) }

    /// libcurl keeps the pointer.
    mutating func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer) {
        note(postrider_curl_set_pointer(handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ value: @escaping postrider_curl_io) {
        note(postrider_curl_set_io(handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ value: @escaping postrider_curl_progress) {
        note(postrider_curl_set_progress(handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ value: @escaping curl_sockopt_callback) {
        note(postrider_curl_set_sockopt(handle, option, value))
    }

    private mutating func note(_ code: CURLcode) {
        if code != CURLE_OK, failure == nil { failure = code }
    }
}
