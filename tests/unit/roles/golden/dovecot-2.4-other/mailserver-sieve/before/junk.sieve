#
# Ansible managed
#
# What a spam filter has marked goes to Junk. No later script sees it, so nobody's vacation answers it.
require "fileinto";
if anyof (
    header :matches "X-Spam" "Yes*",
    header :matches "X-Spam-Flag" "a \"YES\""
) {
    fileinto "Junk";
    stop;
}
