"""JPEG without decoding it: its segments and scans, colour beside untouched luma, the original taken out again."""
