import FuzzKit
import JSONValue

/// What is read, written and read again is the same value, and writing it again gives the same bytes.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let bytes = input.bytes()
    do {
        let value = try JSONParser.parse(bytes)
        let written = JSONWriter.bytes(value)
        let again = try? JSONParser.parse(written)
        expect(again == value, "reading what was written gives the value")
        expect(again.map(JSONWriter.bytes) == written, "writing is stable")
        _ = value["a"]?["0"]?.doubleValue
        _ = value.intValue
    } catch {
        guard let failure = error as? JSONParser.Failure else { expect(false, "another error: \(error)"); return 0 }
        expect((0...bytes.count).contains(failure.offset), "the place lies inside the text")
        expect(!failure.description.isEmpty, "a failure has words")
    }
    return 0
}
