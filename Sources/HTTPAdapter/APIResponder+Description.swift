import Hummingbird
import NIOCore

extension APIResponder {
    /// The API's description. It says nothing of anybody, and needs no key.
    func describe() -> Response {
        Self.response(bytes: Self.descriptionBytes)
    }

    private static let descriptionBytes = Array(
        UnsafeBufferPointer(start: DescriptionText.json.utf8Start, count: DescriptionText.json.utf8CodeUnitCount))
}
