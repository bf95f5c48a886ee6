(function(){
"use strict";
{% include "js/table.js" %}
{% include "js/browse.js" %}
{% include "js/refresh.js" %}
})();
