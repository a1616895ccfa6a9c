import Engine
import FuzzKit
import MailModel

/// A contact's address as the API takes it: what is taken must be an address for mail, too.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzAddress(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    guard let accepted = AddressText.accepted(input.text()) else { return 0 }
    expect(AddressText.accepted(accepted) == accepted, "what was accepted is accepted")
    expect(MailAddress.parse(accepted)?.isSafeForSMTP == true, "mail can be sent to it: \(accepted)")
    return 0
}
