#include "forms/form.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "forms/attention_block.hpp"
#include "forms/collective.hpp"
#include "forms/context_attention.hpp"
#include "forms/deepep.hpp"
#include "forms/gemm.hpp"
#include "forms/generation_attention.hpp"
#include "forms/moe.hpp"
#include "forms/stream.hpp"

namespace fathom::forms {
namespace {

std::vector<Form> collect() {
  std::vector<Form> all;
  for (const auto& part :
       {gemm_forms(), moe_forms(), context_attention_forms(), generation_attention_forms(),
        attention_block_forms(), stream_forms(), collective_forms(), deepep_forms()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

std::span<const Form> all_forms() {
  static const std::vector<Form> kForms = collect();
  return kForms;
}

const Form& form_of(std::string_view family) {
  const auto forms = all_forms();
  const auto found = std::find_if(forms.begin(), forms.end(),
                                  [&](const Form& form) { return form.family == family; });
  FATHOM_EXPECT(found != forms.end(), "every family has a form");
  return *found;
}

}  // namespace fathom::forms
